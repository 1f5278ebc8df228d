// The panel that tells, while the rule is edited, who matches: count, sentence, sample. Asks once editing pauses.

import { h, icon } from "./dom.js";

const PAUSE = 400;

export class Preview {
  // `onanswer(answer)` gets every answer that is still wanted, for what is shown at the conditions.
  constructor({ server, catalogue, onanswer }) {
    Object.assign(this, { server, catalogue, onanswer, texts: catalogue.texts });
    this.count = h("p", { class: "rb-count", role: "status", "aria-live": "polite" });
    this.note = h("p", { class: "rb-note", hidden: true });
    this.warnings = h("ul", { class: "rb-warnings" });
    this.sentence = h("p", { class: "rb-sentence" });
    this.people = h("ul", { class: "rb-people" });
    this.look = this.lookButton();
    this.element = h(
      "aside",
      { class: "rb-result", "aria-label": this.texts.result },
      h("h3", { class: "rb-caption" }, this.texts.result),
      this.count,
      this.note,
      this.part(this.texts.warnings, this.warnings),
      this.part(this.texts.sentence, this.sentence),
      this.part(this.texts.sample, this.people, this.look),
    );
  }

  part(caption, ...content) {
    return h("section", { hidden: true }, h("h3", { class: "rb-caption" }, caption), ...content);
  }

  lookButton() {
    if (!this.catalogue.may_see_names) return null;
    return h(
      "button",
      { type: "button", class: "rb-text-button", title: this.texts.show_names_hint, onclick: () => this.showNames() },
      icon("visibility"),
      this.texts.show_names,
    );
  }

  // Ask about a definition (JSON text) after a pause; an earlier question is given up.
  ask(definition) {
    clearTimeout(this.timer);
    this.request?.abort();
    this.element.classList.add("rb-stale");
    this.timer = setTimeout(() => this.fetch(definition), PAUSE);
  }

  async fetch(definition) {
    const request = new AbortController();
    this.request = request;
    this.definition = definition;
    this.count.textContent = this.texts.counting;
    try {
      const answer = await this.server.preview(definition, request.signal);
      if (!request.signal.aborted) this.show(answer);
    } catch (error) {
      if (error.name !== "AbortError") this.show({ failure: this.texts.unreachable });
    }
  }

  show(answer) {
    const { texts } = this;
    this.element.classList.remove("rb-stale");
    const isCounted = typeof answer.count === "number";
    this.count.textContent = isCounted ? answer.count_text : "";
    this.count.hidden = !isCounted;
    const slow = answer.count === null ? texts.too_slow : answer.shares === null ? texts.no_shares : "";
    this.note.textContent = answer.failure ?? (answer.error ? texts.incomplete : slow);
    this.note.hidden = !this.note.textContent;
    this.sentence.textContent = answer.sentence ?? "";
    this.sentence.parentElement.hidden = !answer.sentence;
    this.warnings.replaceChildren(...(answer.warnings ?? []).map((text) => h("li", {}, text)));
    this.warnings.parentElement.hidden = !answer.warnings?.length;
    this.showPeople(answer.sample ?? []);
    this.onanswer(answer);
  }

  showPeople(sample) {
    this.people.replaceChildren(
      ...sample.map(({ id, name, city, url }) =>
        h(
          "li",
          { "data-person": id },
          h("a", { href: url, target: "_blank", rel: "noopener" }, `#${id}`),
          h("span", { class: "rb-person" }, name || this.texts.unnamed),
          h("span", { class: "rb-faint" }, city),
        ),
      ),
    );
    this.people.parentElement.hidden = !sample.length;
    if (this.look) this.look.hidden = false;
  }

  async showNames() {
    try {
      const names = await this.server.names(this.definition);
      for (const item of this.people.children) {
        const name = names[item.dataset.person];
        if (name) item.querySelector(".rb-person").textContent = name;
      }
      this.look.hidden = true;
      this.people.querySelector("a")?.focus();
    } catch {
      this.show({ failure: this.texts.unreachable });
    }
  }
}
