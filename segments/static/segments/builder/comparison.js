// The keys `op` and `value` of a condition: an operator of the value's type, and inputs for what it takes.

import { finder, setter } from "./fields.js";
import { h, options } from "./dom.js";
import { fits, listInput, valueInput } from "./values.js";

// The value's type, from the option chosen in another field. Undefined where the value itself tells its type.
function chosenType(field, data, siblings) {
  const typing = siblings.find((sibling) => sibling.name === field.typedBy);
  return typing?.options?.find((option) => option.value === data[field.typedBy])?.type;
}

// The same, or the type that a property of the event is declared with.
function declaredType(field, data, ctx) {
  const { declared, json_types: types } = ctx.catalogue;
  const property = declared[ctx.outer.event]?.[data.property];
  return chosenType(field, data, ctx.siblings) ?? types.find((type) => type.name === property);
}

const first = (value) => (Array.isArray(value) ? value[0] : value);

// Texts are not put in order, so there a text is a time.
function jsonType({ op, value }, ctx) {
  const isTime = typeof first(value)?.days_ago === "number" || (typeof value === "string" && /^[lg]te?$/.test(op));
  const kind = isTime ? "time" : { number: "number", boolean: "boolean" }[typeof first(value)] ?? "text";
  return ctx.catalogue.json_types.find((type) => type.name === kind);
}

const takes = (type, op) => type.operators.find((operator) => operator.op === op)?.takes;

// Give a comparison an operator of its type, and drop a value that does not fit.
export function startComparison(field, data, siblings, json) {
  const type = chosenType(field, data, siblings) ?? json;
  if (!type) {
    data.op ??= "eq";
    return;
  }
  if (data.op === undefined && field.initial && type.input === "number") Object.assign(data, field.initial);
  if (!takes(type, data.op)) data.op = type.operators[0].op;
  const values = Array.isArray(data.value) ? data.value : [data.value];
  const shape = takes(type, data.op);
  const isRight = values.every((value) => fits(type, value)) && shape !== "none";
  if (!isRight) delete data.value;
  else if (shape === "list") data.value = values;
  else data.value = first(data.value);
}

// Drawn anew when another event or property is named and has values of another type.
export function comparison(field, data, ctx, at) {
  let declared = declaredType(field, data, ctx);
  let element = draw(field, data, ctx, at, declared);
  ctx.followers.push(() => {
    const named = declaredType(field, data, ctx);
    if (named === declared) return;
    declared = named;
    if (declared) startComparison(field, data, ctx.siblings, declared);
    const fresh = draw(field, data, ctx, at, declared);
    element.replaceWith(fresh);
    element = fresh;
  });
  return element;
}

function draw(field, data, ctx, at, declared) {
  const { texts } = ctx;
  const type = declared ?? ctx.jsonTypes.get(data) ?? jsonType(data, ctx);
  const shape = takes(type, data.op);
  const operator = h(
    "select",
    {
      class: "rb-input rb-select", "aria-label": texts.operator, "data-key": `${at}op`,
      onchange: (event) => {
        data.op = event.target.value;
        startComparison(field, data, ctx.siblings, type);
        ctx.rebuild();
      },
    },
    shape ? [] : h("option", { value: "", selected: true }, texts.choose),
    options(type.operators.map(({ op, label }) => [op, label]), data.op),
  );
  const typing = declared || shape === "none" ? null : typeSelect(type, data, ctx, at, field);
  return h("span", { class: "rb-field rb-comparison" }, operator, typing, input(field, data, ctx, at, type, declared));
}

function input(field, data, ctx, at, type, declared) {
  const shape = takes(type, data.op);
  if (shape === "none" || !shape) return null;
  const find = type.input === "text" || field.suggest === "property_values" || isFurther(data)
    ? finder(field, data, ctx, ctx.outer)
    : undefined;
  const onset = (value) => {
    setter(data, "value", ctx)(value);
    // Picking a suggested number where a text was expected changes the type.
    if (declared || value === undefined || jsonType(data, ctx) === type) return;
    ctx.jsonTypes.delete(data);
    ctx.rebuild();
  };
  const common = { type, key: `${at}value`, onset, find, ctx };
  if (shape !== "list") return valueInput({ ...common, value: data.value, label: ctx.texts.value });
  const values = Array.isArray(data.value) ? data.value : [];
  return listInput({ ...common, values, label: ctx.texts.value_list });
}

const isFurther = (data) => typeof data.attribute === "string" && data.attribute.startsWith("attributes.");

// Texts, numbers and yes / no are told apart in JSON, so somebody has to say which is meant.
function typeSelect(type, data, ctx, at, field) {
  const types = ctx.catalogue.json_types;
  return h(
    "select",
    {
      class: "rb-input rb-select rb-quiet", "aria-label": ctx.texts.value_type, "data-key": `${at}type`,
      onchange: (event) => {
        const chosen = types.find(({ name }) => name === event.target.value);
        ctx.jsonTypes.set(data, chosen);
        startComparison(field, data, ctx.siblings, chosen);
        ctx.rebuild();
      },
    },
    options(types.map(({ name, label }) => [name, label]), type.name),
  );
}
