// Stretches of time: windows that events are looked for in, and lengths of time.

import { h, options } from "./dom.js";
import { fromText, dateInput } from "./values.js";

const NUMBER = { input: "number" };

// {"days": n}, {"hours": n}, {"from":, "to":} or {"calendar":}; no window is all time.
export function timeWindow(field, data, ctx, at) {
  const { texts } = ctx;
  const key = at + field.name;
  const given = data[field.name];
  const mode = modeOf(given, field);
  const starts = {
    last: () => ({ [field.units[0].value]: 30 }),
    between: () => ({ from: "" }),
    calendar: () => ({ calendar: field.options[0].value }),
  };
  const modes = [["", texts.all_time], ["last", texts.last], ["between", texts.between]];
  if (field.options) modes.push(["calendar", texts.calendar]);
  const select = h(
    "select",
    {
      class: "rb-input rb-select", "aria-label": field.label, "data-key": key,
      onchange: (event) => {
        if (event.target.value) data[field.name] = starts[event.target.value]();
        else delete data[field.name];
        ctx.rebuild();
      },
    },
    options(modes, mode),
  );
  const parts = { last: () => length(field, given, ctx, key), between: () => bounds(given, ctx, key),
    calendar: () => calendar(field, given, ctx, key), "": () => null };
  return h("span", { class: "rb-together" }, select, parts[mode]());
}

function modeOf(given, field) {
  if (!given) return "";
  if ("calendar" in given) return field.options ? "calendar" : "";
  return field.units.some(({ value }) => value in given) ? "last" : "between";
}

// {"days": n} and the like.
export function duration(field, data, ctx, at) {
  data[field.name] ??= { [field.units[0].value]: 1 };
  return length(field, data[field.name], ctx, at + field.name);
}

function length(field, given, ctx, key) {
  const unit = field.units.find(({ value }) => value in given)?.value ?? field.units[0].value;
  const number = h("input", {
    class: "rb-input rb-narrow", type: "number", min: 1, step: 1, value: given[unit] ?? "",
    "aria-label": ctx.texts.amount_of_time, "data-key": `${key}/${unit}`,
    oninput: (event) => {
      given[unit] = fromText(NUMBER, event.target.value) ?? null;
      ctx.changed();
    },
  });
  const units = h(
    "select",
    {
      class: "rb-input rb-select", "aria-label": ctx.texts.unit, "data-key": `${key}-unit`,
      onchange: (event) => {
        given[event.target.value] = given[unit];
        delete given[unit];
        ctx.rebuild();
      },
    },
    options(field.units.map(({ value, label }) => [value, label]), unit),
  );
  return h("span", { class: "rb-together" }, number, units);
}

function bounds(given, ctx, key) {
  const bound = (name, label) => {
    const onset = (value) => {
      if (value === undefined) delete given[name];
      else given[name] = value;
      ctx.changed();
    };
    const input = dateInput({ value: given[name], withTime: true, label, key: `${key}/${name}`, onset });
    return h("span", { class: "rb-together" }, h("span", { class: "rb-faint" }, label), input);
  };
  return h("span", { class: "rb-together" }, bound("from", ctx.texts.from), bound("to", ctx.texts.to));
}

function calendar(field, given, ctx, key) {
  const onchange = (event) => {
    given.calendar = event.target.value;
    ctx.changed();
  };
  const attributes = { class: "rb-input rb-select", "aria-label": ctx.texts.calendar, "data-key": `${key}/calendar` };
  const pairs = field.options.map(({ value, label }) => [value, label]);
  return h("select", { ...attributes, onchange }, options(pairs, given.calendar));
}
