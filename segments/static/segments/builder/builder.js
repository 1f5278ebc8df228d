// Puts the parts together for one text area: the tree, its view, the panel, and the text area that is sent.

import { Announcer, fill, h, icon } from "./dom.js";
import { Drag } from "./drag.js";
import { blank } from "./fields.js";
import { Preview } from "./preview.js";
import { Tree, condition, group } from "./tree.js";
import { View } from "./view.js";

export class Builder {
  constructor({ area, server, catalogue }) {
    Object.assign(this, { area, server, catalogue, texts: catalogue.texts });
    this.announcer = new Announcer();
    this.touched = new Set();
    this.fault = area.dataset.fault ? JSON.parse(area.dataset.fault) : null;
    this.preview = new Preview({ server, catalogue, onanswer: (answer) => this.answered(answer) });
    this.stage = h("div", { class: "rb-stage" });
    this.problem = h("p", { class: "rb-fault", role: "alert", hidden: true });
    this.toggle = h("button", { type: "button", class: "rb-text-button rb-toggle", onclick: () => this.switchMode() });
    this.element = h(
      "div",
      { class: "rb", role: "region", "aria-label": this.texts.builder },
      h(
        "div",
        { class: "rb-layout" },
        h("div", { class: "rb-main" }, this.problem, this.stage, this.toggle),
        this.preview.element,
      ),
      this.announcer.element,
    );
    // The admin's shortcuts are single letters, which are typed here to choose options.
    this.element.addEventListener("keydown", (event) => event.key.length === 1 && event.stopPropagation());
    area.before(this.element);
    this.jsonPlace = h("div", { class: "rb-json" }, area);
    this.stage.before(this.jsonPlace);
    area.addEventListener("input", () => this.isJson && this.preview.ask(area.value));
    this.setMode(!this.load());
    this.preview.ask(area.value);
  }

  // Reads the text area; false when it holds no JSON.
  load() {
    let json;
    try {
      json = JSON.parse(this.area.value);
    } catch (error) {
      this.problem.textContent = fill(this.texts.json_is_wrong, { reason: error.message });
      this.problem.hidden = false;
      return false;
    }
    this.problem.hidden = true;
    this.tree = new Tree(json, this.catalogue.limits);
    this.view = new View({ tree: this.tree, catalogue: this.catalogue, server: this.server, act: this });
    this.stage.replaceChildren(this.view.element);
    this.drag = new Drag(this.view.element, this.tree, (...place) => this.dropped(...place));
    this.view.render();
    if (this.fault) this.view.showFault(this.fault, false);
    return true;
  }

  switchMode() {
    if (this.isJson && !this.load()) {
      this.area.focus();
      return;
    }
    this.setMode(!this.isJson);
    this.toggle.focus();
    this.preview.ask(this.area.value);
  }

  setMode(isJson) {
    this.isJson = isJson;
    this.jsonPlace.hidden = !isJson;
    this.stage.hidden = isJson;
    this.element.classList.toggle("rb-as-json", isJson);
    this.toggle.replaceChildren(
      icon(isJson ? "account_tree" : "data_object"),
      isJson ? this.texts.show_builder : this.texts.show_json,
    );
  }

  // Writes the tree into the text area and asks who matches.
  changed(node) {
    if (node) this.touched.add(node.id);
    this.fault = null;
    this.area.value = JSON.stringify(this.tree.toJson(), null, 2);
    this.area.dispatchEvent(new Event("change", { bubbles: true }));
    this.preview.ask(this.area.value);
  }

  answered(answer) {
    if (this.isJson) return;
    this.view.showShares(answer.shares);
    const fault = this.fault ?? answer.error ?? null;
    const isQuiet = fault !== null && !this.fault && !this.touched.has(this.tree.at(fault.path).node.id);
    this.view.showFault(fault, isQuiet);
  }

  // --- Ways to change the tree, for the view

  add(target) {
    const kind = this.catalogue.kinds[0];
    this.put(target, condition(blank(kind)), "kind");
  }

  addGroup(target) {
    this.put(target, group(target.kind === "all" ? "any" : "all"), "add");
  }

  put(target, node, control) {
    if (this.isRefused(target, node, true)) return;
    this.tree.insert(target, target.children.length, node);
    this.show(node, control, this.texts.added);
  }

  setKind(node, kind) {
    node.kind = kind;
    this.view.renderAndFocus(node, `kind-${kind}`);
    this.changed();
  }

  step(node, step, control) {
    const to = this.tree.destination(node, step);
    if (!to) this.announcer.say(this.texts.moved_out_of_reach);
    else if (!this.isRefused(to.target, node, false)) this.move(node, to.target, to.index, control);
  }

  dropped(node, target, index) {
    const parent = this.tree.parent(node);
    const old = parent.children.indexOf(node);
    this.move(node, target, parent === target && old < index ? index - 1 : index, "handle");
  }

  move(node, target, index, control) {
    this.tree.move(node, target, index);
    this.show(node, control, this.texts.moved);
  }

  duplicate(node) {
    if (this.isRefused(this.tree.parent(node), node, true)) return;
    this.show(this.tree.duplicate(node), "duplicate", this.texts.duplicated);
  }

  remove(node) {
    const parent = this.tree.parent(node);
    const index = parent.children.indexOf(node);
    const what = this.view.name(node);
    this.tree.remove(node);
    const next = parent.children[index] ?? parent.children[index - 1];
    this.view.renderAndFocus(next ?? parent, next ? "remove" : "add");
    this.announcer.say(fill(this.texts.removed, { what }));
    this.changed();
  }

  isRefused(target, node, isNew) {
    const obstacle = this.tree.obstacle(target, node, isNew);
    if (!obstacle) return false;
    const { depth, conditions } = this.catalogue.limits;
    const text = fill(this.texts[obstacle], { most: obstacle === "too_deep" ? depth : conditions });
    this.view.showFault({ path: this.tree.pointer(target), reason: text }, false);
    this.announcer.say(text);
    return true;
  }

  show(node, control, text) {
    this.view.renderAndFocus(node, control);
    this.announcer.say(fill(text, { place: this.tree.place(node) }));
    this.changed();
  }
}
