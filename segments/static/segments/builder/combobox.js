// A text input with suggestions (ARIA combobox with list autocompletion); any other text may be typed as well.

import { fill, h } from "./dom.js";

const PAUSE = 200;
let last = 0;

export class Combobox {
  // find(term, signal) promises [{value, label}]; onpick(value) is called for a suggestion or a typed text.
  constructor({ label, value, find, onpick, texts, key, keepsText = true, placeholder = "", most = 200 }) {
    Object.assign(this, { find, onpick, texts, keepsText });
    this.found = [];
    this.active = -1;
    const id = `rb-list-${++last}`;
    this.list = h("ul", { class: "rb-listbox", role: "listbox", id, "aria-label": texts.suggestions, hidden: true });
    this.status = h("span", { class: "rb-hidden", role: "status" });
    this.input = h("input", {
      class: "rb-input", type: "text", role: "combobox", value, placeholder, maxlength: most, autocomplete: "off",
      "aria-label": label, "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": id, "data-key": key,
      oninput: () => this.typed(),
      onkeydown: (event) => this.pressed(event),
      onfocus: () => this.ask(),
      onclick: () => this.list.hidden && this.ask(),
      onblur: () => this.leave(),
    });
    this.element = h("span", { class: "rb-combobox" }, this.input, this.list, this.status);
  }

  typed() {
    if (this.keepsText) this.onpick(this.input.value, false);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), PAUSE);
  }

  async ask() {
    this.request?.abort();
    this.request = new AbortController();
    try {
      const found = await this.find(this.input.value, this.request.signal);
      if (document.activeElement === this.input) this.show(found);
    } catch (error) {
      if (error.name !== "AbortError") this.close();
    }
  }

  show(found) {
    this.found = found;
    this.active = -1;
    this.list.replaceChildren(
      ...found.map(({ value, label }, index) =>
        h(
          "li",
          {
            id: `${this.list.id}-${index}`, role: "option", "aria-selected": "false", class: "rb-option",
            onmousedown: (event) => event.preventDefault(),
            onclick: () => this.pick(value, label),
          },
          h("span", {}, label),
          label === String(value) ? null : h("span", { class: "rb-faint" }, String(value)),
        ),
      ),
    );
    const { texts } = this;
    this.status.textContent = found.length
      ? fill(texts.found_suggestions, { count: found.length })
      : texts.no_suggestions;
    this.setOpen(found.length > 0);
  }

  pressed(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) {
      event.preventDefault();
      this.setOpen(true);
      const from = this.active < 0 && step < 0 ? 0 : this.active; // upwards from the input is the last one
      this.mark((from + step + this.found.length) % this.found.length);
    } else if (event.key === "Enter") {
      event.preventDefault(); // never the form
      const chosen = this.list.hidden ? undefined : this.found[this.active];
      if (chosen) this.pick(chosen.value, chosen.label);
      else if (this.input.value) this.pick(this.input.value, this.input.value);
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.stopPropagation();
      this.close();
    }
  }

  mark(index) {
    this.active = index;
    [...this.list.children].forEach((option, at) => option.setAttribute("aria-selected", String(at === index)));
    const option = this.list.children[index];
    this.input.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  pick(value, label) {
    this.input.value = this.keepsText ? String(value) : "";
    this.close();
    this.onpick(value, true, label);
  }

  leave() {
    this.close();
    if (!this.keepsText && this.input.value) this.pick(this.input.value, this.input.value);
  }

  setOpen(isOpen) {
    this.list.hidden = !isOpen;
    this.input.setAttribute("aria-expanded", String(isOpen));
    if (!isOpen) this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    clearTimeout(this.timer);
    this.request?.abort();
    this.found = [];
    this.setOpen(false);
  }
}
