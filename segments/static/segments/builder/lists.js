// Fields that hold a list of objects: filters on properties, the steps of a sequence, places.

import { fieldEditor, startField } from "./fields.js";
import { button, fill, h } from "./dom.js";
import { plus } from "./values.js";

export function comparisons(field, data, ctx, at) {
  return listOf(field, data, ctx, at, {
    add: ctx.texts.add_filter, remove: ctx.texts.remove_filter, label: ctx.texts.filter, least: 0, most: field.bounds.max,
    start: () => ({ property: "", op: "eq" }),
  });
}

export function steps(field, data, ctx, at) {
  return listOf(field, data, ctx, at, {
    add: ctx.texts.add_step, remove: ctx.texts.remove_step, label: ctx.texts.step, isNumbered: true,
    least: field.bounds.min, most: field.bounds.max, start: () => ({ event: "" }),
  });
}

// One place may stand without a list around it; it is kept so until there is another.
export function places(field, data, ctx, at) {
  return listOf(field, data, ctx, at, {
    add: ctx.texts.add_place, remove: ctx.texts.remove_place, label: ctx.texts.place,
    least: field.bounds.min, most: field.bounds.max, start: () => ({ country: "" }),
  });
}

function listOf(field, data, ctx, at, words) {
  const given = data[field.name];
  const isBare = given !== undefined && !Array.isArray(given);
  const items = isBare ? [given] : given ?? [];
  const set = (changed) => {
    if (changed.length || !field.optional) data[field.name] = changed;
    else delete data[field.name];
    ctx.rebuild();
  };
  const rows = items.map((item, index) => {
    const here = `${at}${field.name}${isBare ? "" : `/${index}`}/`;
    return row({ field, item, index, ctx: { ...ctx, siblings: field.fields, outer: data }, here, words, items, set });
  });
  const append = () => {
    set([...items, words.start()]);
    ctx.focus(`${at}${field.name}/${items.length}/${field.fields[0].name}`);
  };
  const add = plus(words.add, append, `${at}${field.name}-add`);
  return h("span", { class: "rb-list" }, rows, items.length < words.most ? add : null);
}

function row({ field, item, index, ctx, here, words, items, set }) {
  const number = index + 1;
  const remove = button(
    fill(words.remove, { number }), "close", () => set(items.toSpliced(index, 1)), { "data-key": `${here}remove` },
  );
  const fields = field.fields.map((part) => {
    startMissing(part, item, field);
    return fieldEditor(part, item, ctx, here);
  });
  return h(
    "span",
    { class: "rb-row", role: "group", "aria-label": fill(words.label, { number }) },
    words.isNumbered ? h("span", { class: "rb-number", "aria-hidden": "true" }, String(number)) : null,
    fields,
    items.length > words.least ? remove : null,
  );
}

function startMissing(part, item, field) {
  if (part.input === "comparison" && item.op === undefined) startField(part, item, field);
}
