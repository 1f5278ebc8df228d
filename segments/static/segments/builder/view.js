// The tree on the page: groups as nested lists, a card per condition, buttons to change and move them.

import { ConditionEditor } from "./condition.js";
import { button, fill, h, icon } from "./dom.js";
import { isGroup } from "./tree.js";

const STEPS = [["up", "arrow_upward"], ["down", "arrow_downward"], ["into", "subdirectory_arrow_right"], ["out", "arrow_back"]];
const KEYS = { ArrowUp: "up", ArrowDown: "down", ArrowRight: "into", ArrowLeft: "out" };

export class View {
  // `act` has the ways to change the tree: add, addGroup, setKind, step, duplicate, remove, changed.
  constructor({ tree, catalogue, server, act }) {
    Object.assign(this, { tree, catalogue, server, act, texts: catalogue.texts });
    this.element = h("div", { class: "rb-tree" });
  }

  render() {
    this.editors = new Map();
    this.element.replaceChildren(this.group(this.tree.root));
  }

  // Builds everything anew and puts the focus on a control of a node.
  renderAndFocus(node, control) {
    this.render();
    this.card(node)?.querySelector(`[data-control="${control}"], [data-key="${control}"]`)?.focus();
  }

  card(node) {
    return this.element.querySelector(`[data-node="${node.id}"]`);
  }

  name(node) {
    const place = this.tree.place(node);
    const { texts } = this;
    if (node === this.tree.root) return texts.whole_rule;
    return fill(isGroup(node) ? texts.group : texts.condition, { place, kind: this.kindLabel(node) });
  }

  kindLabel({ data }) {
    const known = this.catalogue.kinds.find(({ kind }) => data && typeof data === "object" && kind in data);
    return known?.label ?? "JSON";
  }

  group(node) {
    const isRoot = node === this.tree.root;
    const items = node.children.map((child, index) =>
      h(
        "li",
        { class: "rb-item" },
        index ? h("span", { class: "rb-joint", "aria-hidden": "true" }, this.kindOf(node).joint) : null,
        isGroup(child) ? this.group(child) : this.condition(child),
      ),
    );
    const empty = node.children.length ? null : h("p", { class: "rb-empty" }, this.texts[`empty_${node.kind}`]);
    return h(
      "div",
      {
        class: `rb-group rb-${node.kind}`, role: "group", "aria-label": this.name(node),
        "data-node": node.id, "data-group": node.id,
      },
      h(
        "div",
        { class: "rb-head" },
        isRoot ? null : this.handle(node),
        this.kindSwitch(node),
        this.share(),
        isRoot ? null : this.actions(node),
      ),
      this.fault(),
      empty,
      h("ol", { class: "rb-children", "data-children": node.id }, items),
      this.adders(node),
    );
  }

  kindOf(node) {
    return this.catalogue.groups.find(({ kind }) => kind === node.kind);
  }

  // All / any / none as one row of radio buttons.
  kindSwitch(node) {
    const radio = ({ kind, label }) =>
      h(
        "label",
        { class: "rb-radio" },
        h("input", {
          type: "radio", name: `rb-kind-${node.id}`, value: kind, checked: kind === node.kind,
          "data-control": `kind-${kind}`, onchange: () => this.act.setKind(node, kind),
        }),
        h("span", {}, label),
      );
    const label = fill(this.texts.group_kind, { place: this.tree.place(node) });
    return h("div", { class: "rb-switch", role: "radiogroup", "aria-label": label }, this.catalogue.groups.map(radio));
  }

  condition(node) {
    const editor = new ConditionEditor(node, this.tree.place(node), {
      catalogue: this.catalogue, texts: this.texts, server: this.server, onchange: () => this.act.changed(node),
    });
    this.editors.set(node.id, editor);
    return h(
      "div",
      { class: "rb-condition", role: "group", "aria-label": this.name(node), "data-node": node.id },
      h("div", { class: "rb-line" }, this.handle(node), editor.element, this.actions(node)),
      this.share(),
      this.fault(),
    );
  }

  handle(node) {
    const onkeydown = (event) => {
      if (!KEYS[event.key] || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      this.act.step(node, KEYS[event.key], "handle");
    };
    const attributes = { class: "rb-icon-button rb-handle", draggable: "true", "data-drag": node.id, onkeydown };
    return this.control(node, "move_handle", "drag_indicator", null, { ...attributes, "data-control": "handle" });
  }

  actions(node) {
    const moves = STEPS.map(([step, symbol]) =>
      this.control(node, `move_${step}`, symbol, () => this.act.step(node, step, step), {
        "data-control": step,
        // Not disabled: a disabled button would lose the focus.
        "aria-disabled": this.tree.destination(node, step) ? null : "true",
      }),
    );
    const others = [["duplicate", "content_copy"], ["remove", "delete"]].map(([name, symbol]) =>
      this.control(node, name, symbol, () => this.act[name](node), { "data-control": name }),
    );
    return h("div", { class: "rb-actions" }, moves, others);
  }

  // A button whose words, `texts[words]`, name the node.
  control(node, words, symbol, onclick, attributes) {
    const label = fill(this.texts[words], { what: this.name(node) });
    return button(label, symbol, onclick, { ...attributes, "data-words": words });
  }

  // After a change of its kind a condition has another name.
  rename(node) {
    const card = this.card(node);
    const what = this.name(node);
    card.setAttribute("aria-label", what);
    for (const control of card.querySelectorAll("[data-words]")) {
      const label = fill(this.texts[control.dataset.words], { what });
      control.setAttribute("aria-label", label);
      control.title = label;
    }
  }

  adders(node) {
    const place = this.tree.place(node);
    const adder = (text, symbol, control, onclick) => {
      const label = place ? fill(this.texts.add_to_group, { what: text, place }) : text;
      const attributes = { type: "button", class: "rb-text-button", "aria-label": label, "data-control": control, onclick };
      return h("button", attributes, icon(symbol), text);
    };
    return h(
      "div",
      { class: "rb-adders" },
      adder(this.texts.add_condition, "add", "add", () => this.act.add(node)),
      adder(this.texts.add_group, "create_new_folder", "add-group", () => this.act.addGroup(node)),
    );
  }

  share() {
    return h("div", { class: "rb-share", hidden: true }, h("span", { class: "rb-bar" }, h("span", {})), h("span", {}));
  }

  fault() {
    return h("p", { class: "rb-fault", hidden: true });
  }

  // What the direct children of the root remove or add; null takes it all away.
  showShares(shares) {
    for (const share of this.element.querySelectorAll(".rb-share")) share.hidden = true;
    for (const { path, part, text } of shares ?? []) {
      const share = this.card(this.tree.at(path).node)?.querySelector(".rb-share");
      if (!share) continue;
      share.hidden = false;
      share.children[0].firstChild.style.width = `${Math.round(part * 100)}%`;
      share.children[1].textContent = text;
    }
  }

  // A fault where it is: at the node its JSON Pointer leads to, and at the input of the rest of the pointer.
  showFault(fault, isQuiet) {
    for (const old of this.element.querySelectorAll(".rb-fault")) {
      old.hidden = true;
      old.textContent = "";
    }
    for (const input of this.element.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
    if (!fault) return;
    const { node, rest } = this.tree.at(fault.path);
    const card = this.card(node);
    const message = card.querySelector(":scope > .rb-fault");
    message.textContent = rest ? `${rest}: ${fault.reason}` : fault.reason;
    message.classList.toggle("rb-quiet-fault", isQuiet);
    message.id = `rb-fault-${node.id}`;
    message.hidden = false;
    const input = isGroup(node) ? null : nearest(card, rest);
    if (!input) return;
    if (!isQuiet) input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", message.id);
  }
}

function nearest(card, rest) {
  const inputs = [...card.querySelectorAll("[data-key]")];
  const lengthOfMatch = ({ dataset: { key } }) => (rest === key || rest.startsWith(`${key}/`) ? key.length : 0);
  const best = inputs.reduce((one, other) => (lengthOfMatch(other) > lengthOfMatch(one) ? other : one), inputs[0]);
  return best && lengthOfMatch(best) ? best : null;
}
