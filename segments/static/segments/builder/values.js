// Inputs for one typed value or for a list of them. `type` is a value type of the catalogue.

import { Combobox } from "./combobox.js";
import { button, fill, h, icon, options } from "./dom.js";

// Whether a value is one that the type takes, roughly: the server has the last word.
export function fits(type, value) {
  if (type.input === "number") return typeof value === "number";
  if (type.input === "choice") return type.options.some(([option]) => option === value);
  if (type.input === "text") return typeof value === "string";
  return /^\d{4}-\d\d-\d\d/.test(value) || typeof value?.days_ago === "number";
}

// The JSON of a typed text; undefined when it is none of the type.
export function fromText(type, text) {
  if (type.input !== "number") return text === "" ? undefined : text;
  const number = Number(text);
  return text.trim() === "" || Number.isNaN(number) ? undefined : number;
}

// One value. `onset(value)` gets undefined for nothing; `find` looks for suggestions of texts and numbers.
export function valueInput({ type, value, label, key, onset, find, ctx }) {
  if (type.input === "choice") return choice({ type, value, label, key, onset, ctx });
  if (type.input === "moment" || type.input === "day") return time({ type, value, label, key, onset, ctx });
  if (find) {
    const onpick = (picked) => onset(typeof picked === "string" ? fromText(type, picked) : picked);
    return new Combobox({ label, value: value ?? "", key, find, onpick, texts: ctx.texts, most: type.most }).element;
  }
  return numberOrText({ type, value, label, key, onset });
}

function numberOrText({ type, value, label, key, onset }) {
  const isNumber = type.input === "number";
  return h("input", {
    class: isNumber ? "rb-input rb-narrow" : "rb-input",
    type: isNumber ? "number" : "text",
    step: type.step, min: type.min, max: type.max, maxlength: type.most,
    value: value ?? "", "aria-label": label, "data-key": key,
    oninput: (event) => onset(fromText(type, event.target.value)),
  });
}

function choice({ type, value, label, key, onset, ctx }) {
  const known = type.options.some(([option]) => option === value);
  const blank = known ? [] : [["", ctx.texts.choose]];
  return h(
    "select",
    {
      class: "rb-input rb-select", "aria-label": label, "data-key": key,
      onchange: (event) => onset(type.options.find(([option]) => String(option) === event.target.value)?.[0]),
    },
    options([...blank, ...type.options], known ? value : ""),
  );
}

// A date or a time, or so many days before now.
function time({ type, value, label, key, onset, ctx }) {
  const isRelative = typeof value?.days_ago === "number";
  const mode = h(
    "select",
    {
      class: "rb-input rb-select", "aria-label": label, "data-key": `${key}-mode`,
      onchange: (event) => {
        onset(event.target.value === "ago" ? { days_ago: 30 } : undefined);
        ctx.rebuild();
      },
    },
    options([["on", ctx.texts.at_time], ["ago", ctx.texts.days_ago]], isRelative ? "ago" : "on"),
  );
  const input = isRelative
    ? h("input", {
        class: "rb-input rb-narrow", type: "number", min: 0, max: ctx.catalogue.limits.days, step: 1,
        value: value.days_ago, "aria-label": ctx.texts.number_of_days, "data-key": key,
        oninput: (event) => {
          const days = fromText({ input: "number" }, event.target.value);
          onset(days === undefined ? undefined : { days_ago: days });
        },
      })
    : dateInput({ value, withTime: type.input === "moment", label: ctx.texts.date, key, onset });
  return h("span", { class: "rb-together" }, mode, input);
}

// A date, or a time in the installation's zone. The offset that a time came with is kept.
export function dateInput({ value, withTime, label, key, onset }) {
  const given = typeof value === "string" ? value : "";
  const [, offset = ""] = given.slice(10).match(/(Z|[+-]\d\d:?\d\d)$/) ?? [];
  const shown = withTime ? `${given}${given && given.length <= 10 ? "T00:00" : ""}`.slice(0, 16) : given.slice(0, 10);
  return h("input", {
    class: "rb-input rb-date", type: withTime ? "datetime-local" : "date", value: shown,
    "aria-label": label, "data-key": key, title: offset,
    onchange: (event) => onset(event.target.value ? event.target.value + offset : undefined),
  });
}

// Several values: chips and an input that adds one more, or check boxes where there are but a few to choose from.
export function listInput({ type, values, label, key, onset, find, ctx }) {
  if (type.input === "choice") return checkBoxes({ type, values, label, key, onset });
  const { texts } = ctx;
  const set = (changed) => {
    onset(changed.length ? changed : undefined);
    ctx.rebuild();
  };
  const chips = values.map((each, index) =>
    h(
      "span",
      { class: "rb-chip" },
      typeof each?.days_ago === "number" ? `${each.days_ago} ${texts.days_ago}` : String(each),
      button(fill(texts.remove_value, { value: String(each) }), "close", () => set(values.toSpliced(index, 1)), {
        class: "rb-icon-button rb-chip-button", "data-key": `${key}-${index}-remove`,
      }),
    ),
  );
  const adder = new Combobox({
    label: `${label}: ${texts.add_value}`, value: "", key, texts, keepsText: false, placeholder: texts.add_value,
    find: find ?? (async () => []),
    onpick: (picked) => {
      const value = typeof picked === "string" ? fromText(type, picked.trim()) : picked;
      if (value !== undefined && !values.includes(value)) set([...values, value]);
    },
  });
  return h("span", { class: "rb-chips", role: "group", "aria-label": label }, chips, adder.element);
}

function checkBoxes({ type, values, label, key, onset }) {
  const chosen = new Set(values);
  const box = ([value, text], index) =>
    h(
      "label",
      { class: "rb-check" },
      h("input", {
        type: "checkbox", checked: chosen.has(value), "data-key": index ? `${key}-${index}` : key,
        onchange: (event) => {
          if (event.target.checked) chosen.add(value);
          else chosen.delete(value);
          onset(chosen.size ? type.options.map(([option]) => option).filter((option) => chosen.has(option)) : undefined);
        },
      }),
      h("span", {}, text),
    );
  return h("span", { class: "rb-checks", role: "group", "aria-label": label }, type.options.map(box));
}

export const plus = (text, onclick, key) =>
  h("button", { type: "button", class: "rb-text-button", onclick, "data-key": key }, icon("add"), text);
