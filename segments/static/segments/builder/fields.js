// The inputs of a condition, as the catalogue describes them. Each writes straight into the condition's JSON.
//
// `data` is the object that holds the field's key, `at` the path of that object below its condition ("" or "where/0/"),
// which inputs carry as data-key so that faults and the focus find them.

import { Combobox } from "./combobox.js";
import { h, options } from "./dom.js";
import { comparison, startComparison } from "./comparison.js";
import { comparisons, places, steps } from "./lists.js";
import { listInput, valueInput } from "./values.js";
import { duration, timeWindow } from "./windows.js";

const EDITORS = {
  select, subject, reference: name, name, names, number, comparison, comparisons, steps, places, duration,
  window: timeWindow,
};

export function isAsked(field, data) {
  return !field.when || data[field.when.field] === field.when.value;
}

export function isGiven(field, data) {
  return field.name ? data[field.name] !== undefined : data.op !== undefined;
}

const BLOCKS = ["steps", "places", "comparisons"];
const LABELLED = [...BLOCKS, "number", "duration", "window"];

// The input of a field, with a visible label where the sentence that the inputs form does not say what it is.
export function fieldEditor(field, data, ctx, at = "") {
  const input = EDITORS[field.input](field, data, ctx, at);
  if (!field.label || field.input === "comparison") return input;
  const isLabelled = field.optional || field.when || LABELLED.includes(field.input);
  const label = isLabelled ? h("span", { class: "rb-label" }, field.label) : null;
  return h("span", { class: BLOCKS.includes(field.input) ? "rb-field rb-block" : "rb-field" }, label, input);
}

// A condition of a kind as it is when just added: what must be given has its first or initial value, if any.
export function blank(kind) {
  const data = {};
  for (const field of kind.fields) startField(field, data, kind);
  // The key that names the kind comes first, as people write it.
  return { [kind.kind]: data[kind.kind] ?? "", ...data };
}

export function startField(field, data, { fields }) {
  if (field.optional || !isAsked(field, data)) return;
  if (field.input === "comparison") startComparison(field, data, fields);
  else if (field.initial !== undefined) data[field.name] = structuredClone(field.initial);
  else if (["select", "subject"].includes(field.input) && field.options) data[field.name] = field.options[0].value;
  else if (field.input === "steps") data[field.name] = [{ event: "" }, { event: "" }];
  else if (field.input === "places") data[field.name] = [{ country: "" }];
}

export function setter(data, key, ctx) {
  return (value) => {
    if (value === undefined || value === "") delete data[key];
    else data[key] = value;
    ctx.changed();
  };
}

// Suggestions for a field: the sibling fields of its context narrow them.
export function finder(field, data, ctx, outer = {}) {
  if (!field.suggest) return undefined;
  return (term, signal) => {
    const given = { ...outer, ...data };
    const context = { field: field.name };
    for (const key of field.context ?? []) if (typeof given[key] === "string") context[key] = given[key];
    return ctx.server.suggestions(field.suggest, term, context, signal);
  };
}

function select(field, data, ctx, at) {
  const onchange = (event) => {
    data[field.name] = event.target.value;
    ctx.dependentsOf(field, data);
    ctx.rebuild();
  };
  const pairs = field.options.map(({ value, label }) => [value, label]);
  const known = pairs.some(([value]) => value === data[field.name]);
  const attributes = { class: "rb-input rb-select", "aria-label": field.label ?? ctx.texts.operator, onchange };
  return h(
    "select",
    { ...attributes, "data-key": at + field.name },
    options(known ? pairs : [["", ctx.texts.choose], ...pairs], known ? data[field.name] : ""),
  );
}

// A select of what is always there, whose last option opens an input for any key.
function subject(field, data, ctx, at) {
  const chosen = data[field.name] ?? "";
  const isFurther = typeof chosen === "string" && chosen.startsWith(field.prefix);
  const further = field.prefix === "properties." ? ctx.texts.further_property : ctx.texts.further_attribute;
  const pairs = [...(field.options ?? []).map(({ value, label }) => [value, label]), [field.prefix, `${further}…`]];
  const main = h(
    "select",
    {
      class: "rb-input rb-select", "aria-label": field.label, "data-key": at + field.name,
      onchange: (event) => {
        data[field.name] = event.target.value;
        ctx.dependentsOf(field, data);
        ctx.rebuild();
      },
    },
    options(pairs, isFurther ? field.prefix : chosen),
  );
  if (!isFurther) return h("span", { class: "rb-together" }, main);
  const find = finder(field, data, ctx);
  const key = new Combobox({
    label: `${field.label}: ${ctx.texts.key}`, placeholder: ctx.texts.key, texts: ctx.texts,
    key: `${at}${field.name}-key`, value: chosen.slice(field.prefix.length),
    find: async (term, signal) =>
      (await find(term, signal)).map(({ label }) => ({ value: bare(label, field), label: bare(label, field) })),
    onpick: (picked) => {
      data[field.name] = field.prefix + picked;
      ctx.changed();
    },
  });
  return h("span", { class: "rb-together" }, main, key.element);
}

const bare = (text, field) => (text.startsWith(field.prefix) ? text.slice(field.prefix.length) : text);

function name(field, data, ctx, at) {
  const onpick = setter(data, field.name, ctx);
  const find = finder(field, data, ctx, ctx.outer);
  const placeholder = field.optional ? "" : field.label;
  const attributes = { label: field.label, placeholder, key: at + field.name, find, texts: ctx.texts };
  return new Combobox({ ...attributes, value: data[field.name] ?? "", onpick }).element;
}

function names(field, data, ctx, at) {
  const given = data[field.name];
  const values = Array.isArray(given) ? given : given ? [given] : [];
  return listInput({
    type: { input: "text" }, values, label: field.label, key: at + field.name, ctx,
    onset: setter(data, field.name, ctx), find: finder(field, data, ctx, ctx.outer),
  });
}

function number(field, data, ctx, at) {
  return valueInput({
    type: { input: "number", step: field.bounds ? 1 : "any", ...field.bounds }, value: data[field.name],
    label: field.label, key: at + field.name, onset: setter(data, field.name, ctx), ctx,
  });
}
