// The questions to the server. Addresses and the CSRF token come from the form.

export class Server {
  constructor(area) {
    this.urls = area.dataset;
    this.token = area.form.querySelector("input[name=csrfmiddlewaretoken]").value;
    this.form = Math.random().toString(36).slice(2);
  }

  catalogue() {
    return this.get(this.urls.catalogueUrl, {});
  }

  async suggestions(source, term, context, signal) {
    const found = await this.get(this.urls.suggestionsUrl, { source, q: term, ...context }, signal);
    return found.suggestions;
  }

  preview(definition, signal) {
    return this.post(this.urls.previewUrl, { definition, form: this.form, key: this.urls.segment }, signal);
  }

  async names(definition) {
    return (await this.post(this.urls.namesUrl, { definition })).names;
  }

  async get(url, parameters, signal) {
    return answer(await fetch(`${url}?${new URLSearchParams(parameters)}`, { signal, headers: JSON_HEADERS }));
  }

  async post(url, fields, signal) {
    const headers = { ...JSON_HEADERS, "X-CSRFToken": this.token };
    return answer(await fetch(url, { method: "POST", headers, body: new URLSearchParams(fields), signal }));
  }
}

const JSON_HEADERS = { Accept: "application/json" };

function answer(response) {
  // A session that has ended leads to the login page, which is not JSON.
  if (!response.ok || response.redirected) throw new Error(`${response.status}`);
  return response.json();
}
