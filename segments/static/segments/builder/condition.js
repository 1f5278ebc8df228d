// The editor of one condition: its kind, the fields of that kind, and what is optional behind a button.

import { startComparison } from "./comparison.js";
import { button, fill, h, icon, options, replaceAround } from "./dom.js";
import { blank, fieldEditor, isAsked, isGiven, startField } from "./fields.js";

export class ConditionEditor {
  // `place` is the condition's number for people; `onchange()` is called after each change of node.data.
  constructor(node, place, { catalogue, texts, server, onchange }) {
    Object.assign(this, { node, place, catalogue, texts, server, onchange });
    this.jsonTypes = new Map();
    this.isOpen = false;
    this.element = h("div", { class: "rb-condition-body" });
    this.render();
  }

  get kind() {
    const { data } = this.node;
    const isObject = data && typeof data === "object" && !Array.isArray(data);
    return isObject ? this.catalogue.kinds.find(({ kind }) => kind in data) : undefined;
  }

  render() {
    this.element.replaceChildren(...this.content());
  }

  content() {
    return [this.kindSelect(), ...(this.kind ? this.fields(this.kind) : this.raw())];
  }

  // Shows the condition anew after a change that changes its inputs; the focus stays where it is.
  rebuild() {
    const active = document.activeElement;
    const { key } = active?.dataset ?? {};
    const fresh = h("div", {}, this.content());
    const same = key && inputOf(fresh, key);
    if (same && active.tagName === "SELECT" && same.value === active.value) {
      replaceAround(this.element, fresh, active, same); // it remembers what was typed so far to choose an option
    } else {
      this.element.replaceChildren(...fresh.childNodes);
    }
    if (key && document.activeElement !== active) this.focus(key);
    this.onchange();
  }

  // What was removed leaves the focus to what stands around it.
  focus(key) {
    const keys = [key];
    for (let around = key; /[-/]/.test(around); keys.push(around, `${around}-add`)) {
      around = around.replace(/[-/][^-/]*$/, "");
    }
    const found = [...keys, "more"].map((each) => inputOf(this.element, each)).find(Boolean);
    found?.focus();
  }

  kindSelect() {
    const kinds = this.catalogue.kinds.map(({ kind, label }) => [kind, label]);
    const chosen = this.kind?.kind ?? "";
    const onchange = (event) => {
      const kind = this.catalogue.kinds.find((each) => each.kind === event.target.value);
      if (!kind) return;
      this.node.data = blank(kind);
      this.isOpen = false;
      this.rebuild();
    };
    const label = fill(this.texts.condition_kind, { place: this.place });
    return h(
      "span",
      { class: "rb-kind" },
      icon(this.kind?.icon ?? "data_object"),
      h(
        "select",
        { class: "rb-input rb-select rb-strong", "aria-label": label, "data-key": "kind", onchange },
        options(chosen ? kinds : [["", "JSON"], ...kinds], chosen),
      ),
    );
  }

  fields(kind) {
    const ctx = this.context(kind);
    const asked = kind.fields.filter((field) => isAsked(field, this.node.data));
    const isShown = (field) => !field.optional || field.input === "window" || isGiven(field, this.node.data);
    const shown = asked.filter((field) => this.isOpen || isShown(field));
    const editors = shown.map((field) => fieldEditor(field, this.node.data, ctx));
    if (shown.length === asked.length) return editors;
    const more = button(this.texts.more_options, "tune", () => this.open(), { "data-key": "more" });
    return [...editors, more];
  }

  open() {
    this.isOpen = true;
    const before = new Set([...this.element.querySelectorAll("[data-key]")].map((input) => input.dataset.key));
    this.render();
    [...this.element.querySelectorAll("[data-key]")].find((input) => !before.has(input.dataset.key))?.focus();
  }

  context(kind) {
    const followers = []; // asked after each change, before it is written
    return {
      catalogue: this.catalogue, texts: this.texts, server: this.server, jsonTypes: this.jsonTypes,
      siblings: kind.fields, outer: {}, followers,
      changed: () => {
        for (const follow of followers) follow();
        this.onchange();
      },
      rebuild: () => this.rebuild(),
      focus: (key) => this.focus(key),
      dependentsOf: (field, data) => this.follow(field, data, kind),
    };
  }

  // After a choice: what it types gets a fitting operator and value, what it asks for begins, what it hides goes.
  follow(field, data, kind) {
    for (const other of kind.fields) {
      if (other.typedBy === field.name) startComparison(other, data, kind.fields, this.catalogue.json_types[0]);
      if (other.when?.field !== field.name) continue;
      if (!isAsked(other, data)) delete data[other.name];
      else if (!isGiven(other, data)) startField(other, data, kind);
    }
  }

  // A condition of a kind that is not in the catalogue stays as it is, and can be edited as JSON.
  raw() {
    const { data } = this.node;
    const area = h("textarea", {
      class: "rb-input rb-raw", rows: 3, spellcheck: "false", "aria-label": this.texts.raw_json, "data-key": "raw",
      value: JSON.stringify(data),
      oninput: (event) => {
        try {
          this.node.data = JSON.parse(event.target.value);
          event.target.removeAttribute("aria-invalid");
          this.onchange();
        } catch {
          event.target.setAttribute("aria-invalid", "true");
        }
      },
    });
    const [kind = ""] = data && typeof data === "object" ? Object.keys(data) : [];
    return [h("span", { class: "rb-faint" }, fill(this.texts.raw, { kind })), area];
  }
}

const inputOf = (element, key) =>
  [...element.querySelectorAll("[data-key]")].find((input) => input.dataset.key === key);
