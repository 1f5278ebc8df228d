// Making elements without markup: every text is a text node, so data never becomes HTML.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const icon = (name) => h("span", { class: "material-symbols-outlined", "aria-hidden": "true" }, name);

export function button(label, symbol, onclick, attributes = {}) {
  return h(
    "button",
    { type: "button", class: "rb-icon-button", "aria-label": label, title: label, onclick, ...attributes },
    icon(symbol),
  );
}

export function options(pairs, chosen) {
  return pairs.map(([value, label]) => h("option", { value: String(value), selected: value === chosen }, label));
}

// Puts the content of `fresh` into `element`, save for `kept` deep within, which stays where it is in place of `same`:
// an element that never leaves the page keeps the focus and all that the browser remembers of it.
export function replaceAround(element, fresh, kept, same) {
  const holdsKept = [...element.childNodes].find((child) => child.contains(kept));
  const holdsSame = [...fresh.childNodes].find((child) => child.contains(same));
  const isDeeper = holdsKept !== kept && holdsSame !== same;
  if (!isDeeper && (holdsKept !== kept || holdsSame !== same)) {
    element.replaceChildren(...fresh.childNodes);
    return;
  }
  for (const child of [...element.childNodes]) if (child !== holdsKept) child.remove();
  const children = [...fresh.childNodes];
  const index = children.indexOf(holdsSame);
  holdsKept.before(...children.slice(0, index));
  holdsKept.after(...children.slice(index + 1));
  if (isDeeper) replaceAround(holdsKept, holdsSame, kept, same);
}

// "Moved to {place}." with its braces filled in.
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

// A polite live region for screen readers.
export class Announcer {
  constructor() {
    this.element = h("div", { class: "rb-hidden", role: "status", "aria-live": "polite" });
  }

  say(text) {
    this.element.textContent = text;
  }
}
