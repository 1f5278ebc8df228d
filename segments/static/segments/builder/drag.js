// Dragging nodes with the mouse: a line shows where the node would go.

import { h } from "./dom.js";
import { isGroup } from "./tree.js";

export class Drag {
  // `drop(node, target, index)` moves; index is counted with the node still in its old place.
  constructor(element, tree, drop) {
    Object.assign(this, { element, tree, drop });
    this.line = h("li", { class: "rb-drop-line", "aria-hidden": "true" });
    element.addEventListener("dragstart", (event) => this.start(event));
    element.addEventListener("dragover", (event) => this.over(event));
    element.addEventListener("drop", (event) => this.end(event));
    element.addEventListener("dragend", () => this.clear());
  }

  start(event) {
    const id = event.target.dataset?.drag;
    if (!id) return;
    this.node = this.tree.find(Number(id));
    const card = this.element.querySelector(`[data-node="${id}"]`);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", "");
    event.dataTransfer.setDragImage(card, 16, 16);
    requestAnimationFrame(() => card.classList.add("rb-dragged"));
  }

  over(event) {
    if (!this.node) return;
    const place = this.placeAt(event);
    if (!place) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "move";
    place.list.insertBefore(this.line, place.before);
  }

  // The list and the item before which the pointer is; null where the node may not go.
  placeAt(event) {
    const box = event.target.closest?.("[data-group]");
    const target = box && this.tree.find(Number(box.dataset.group));
    if (!target || !isGroup(target) || this.tree.isWithin(target, this.node)) return null;
    if (this.tree.obstacle(target, this.node, false)) return null;
    const list = box.querySelector(`[data-children="${target.id}"]`);
    const items = [...list.children].filter((item) => item !== this.line);
    const isAbove = (item) => {
      const { top, height } = item.getBoundingClientRect();
      return event.clientY < top + height / 2;
    };
    const index = items.findIndex(isAbove);
    return { target, list, index: index < 0 ? items.length : index, before: items[index] ?? null };
  }

  end(event) {
    const place = this.node && this.placeAt(event);
    const { node } = this;
    this.clear();
    if (!place) return;
    event.preventDefault();
    this.drop(node, place.target, place.index);
  }

  clear() {
    this.node = undefined;
    this.line.remove();
    for (const card of this.element.querySelectorAll(".rb-dragged")) card.classList.remove("rb-dragged");
  }
}
