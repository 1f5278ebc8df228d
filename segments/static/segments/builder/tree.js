// The rule tree while it is edited: nodes with an identity, and the ways to change it. Knows nothing of the page.
//
// A group is {id, kind: "all" | "any" | "none", children}; a condition is {id, data}, data being its JSON as it stands.

export const GROUP_KINDS = ["all", "any", "none"];

let lastId = 0;

export function group(kind, children = []) {
  return { id: ++lastId, kind, children };
}

export function condition(data) {
  return { id: ++lastId, data };
}

export const isGroup = (node) => Array.isArray(node.children);

function fromJson(json) {
  const keys = json && typeof json === "object" ? Object.keys(json) : [];
  if (keys.length === 1 && GROUP_KINDS.includes(keys[0]) && Array.isArray(json[keys[0]])) {
    return group(keys[0], json[keys[0]].map(fromJson));
  }
  return condition(json);
}

function toJson(node) {
  return isGroup(node) ? { [node.kind]: node.children.map(toJson) } : node.data;
}

const copyOf = (node) => fromJson(structuredClone(toJson(node)));
const countOf = (node) => (isGroup(node) ? node.children.reduce((sum, child) => sum + countOf(child), 0) : 1);
const heightOf = (node) => (isGroup(node) ? 1 + Math.max(0, ...node.children.map(heightOf)) : 1);

export class Tree {
  // A rule may be a single condition; then the group around it is only implied and not written.
  constructor(json, limits) {
    const root = fromJson(json);
    this.root = isGroup(root) ? root : group("all", [root]);
    this.isImplied = !isGroup(root);
    this.limits = limits;
  }

  toJson() {
    const [first] = this.root.children;
    return this.isBare ? toJson(first) : toJson(this.root);
  }

  get isBare() {
    return this.isImplied && this.root.kind === "all" && this.root.children.length === 1;
  }

  // The groups from the root down to and without the node; undefined when the node is not in the tree.
  above(node, here = this.root) {
    if (here === node) return [];
    for (const child of isGroup(here) ? here.children : []) {
      const found = this.above(node, child);
      if (found) return [here, ...found];
    }
    return undefined;
  }

  parent(node) {
    return this.above(node).at(-1);
  }

  find(id, here = this.root) {
    if (here.id === id) return here;
    for (const child of isGroup(here) ? here.children : []) {
      const found = this.find(id, child);
      if (found) return found;
    }
    return undefined;
  }

  // Where a node stands, for people: "2.1" is the first in the second; "" is the root.
  place(node) {
    const groups = this.above(node);
    return groups.map((each, depth) => each.children.indexOf(groups[depth + 1] ?? node) + 1).join(".");
  }

  // The JSON Pointer of a node in what toJson gives.
  pointer(node) {
    if (this.isBare) return "";
    const groups = this.above(node);
    return groups.map((each, depth) => `/${each.kind}/${each.children.indexOf(groups[depth + 1] ?? node)}`).join("");
  }

  // The deepest node on the way of a JSON Pointer, and what is left of the pointer there.
  at(pointer) {
    let node = this.isBare ? this.root.children[0] : this.root;
    const steps = pointer.split("/").slice(1);
    while (isGroup(node) && steps.length > 1 && node.children[Number(steps[1])]) {
      node = node.children[Number(steps[1])];
      steps.splice(0, 2);
    }
    return { node, rest: steps.join("/") };
  }

  // Why so many conditions, or a subtree of such height, cannot come into a group: a key of the texts, or "".
  obstacle(target, node, isNew) {
    const depth = this.above(target).length + 1;
    if (depth + heightOf(node) > this.limits.depth) return "too_deep";
    return isNew && countOf(this.root) + countOf(node) > this.limits.conditions ? "too_many" : "";
  }

  insert(target, index, node) {
    target.children.splice(index, 0, node);
  }

  remove(node) {
    const { children } = this.parent(node);
    children.splice(children.indexOf(node), 1);
  }

  duplicate(node) {
    const copy = copyOf(node);
    const parent = this.parent(node);
    this.insert(parent, parent.children.indexOf(node) + 1, copy);
    return copy;
  }

  // Where a step would take a node: {target, index}, index counted once the node has left its place; null: nowhere.
  destination(node, step) {
    const groups = this.above(node);
    const parent = groups.at(-1);
    const index = parent.children.indexOf(node);
    const before = parent.children[index - 1];
    const after = parent.children[index + 1];
    if (step === "up") return before ? { target: parent, index: index - 1 } : null;
    if (step === "down") return after ? { target: parent, index: index + 1 } : null;
    if (step === "out") {
      const outer = groups.at(-2);
      return outer ? { target: outer, index: outer.children.indexOf(parent) + 1 } : null;
    }
    if (before && isGroup(before)) return { target: before, index: before.children.length };
    return after && isGroup(after) ? { target: after, index: 0 } : null;
  }

  move(node, target, index) {
    this.remove(node);
    this.insert(target, index, node);
  }

  // Whether the target is the node itself or stands below it.
  isWithin(target, node) {
    return target === node || this.above(target).includes(node);
  }
}
