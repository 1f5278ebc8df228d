"""What is different between two rule trees, node by node. Pure."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.utils.text import capfirst

from segments.rules.errors import RuleError, below
from segments.rules.parse import parse_tree
from segments.rules.registry import GROUP_KINDS


@dataclass(frozen=True)
class NodeChange:
    """A node that is another one, or is in one of the trees only.

    `path` is its JSON Pointer in the newer tree, or in the older one when it is gone. `before` and `after` say in
    plain words what it asked and asks; None where it is missing.
    """

    path: str
    before: str | None
    after: str | None


def differences(before: Any, after: Any) -> list[NodeChange]:
    """The smallest nodes that hold all the change, in the order of the newer tree; nothing for equal trees."""
    return list(_walk(before, after, ""))


def in_words(definition: Any) -> str:
    """A rule tree as a sentence, or as JSON when it is no rule any more: its kind may have gone with an app."""
    try:
        return str(capfirst(parse_tree(definition).describe()))
    except RuleError:
        return json.dumps(definition, ensure_ascii=False)


def _walk(before: Any, after: Any, path: str) -> Iterator[NodeChange]:
    if before == after:
        return
    kind = _group_kind(after)
    if kind is None or _group_kind(before) != kind:
        yield NodeChange(path, in_words(before), in_words(after))
        return
    yield from _children(before[kind], after[kind], below(path, kind))


def _children(before: list[Any], after: list[Any], path: str) -> Iterator[NodeChange]:
    """Equal children are matched first; what stands between the same neighbours is taken for changed, pair by pair."""
    matcher = SequenceMatcher(None, [_key(child) for child in before], [_key(child) for child in after], autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind == "equal":
            continue
        olds, news = before[old_from:old_to], after[new_from:new_to]
        paired = min(len(olds), len(news))
        for place in range(paired):
            yield from _walk(olds[place], news[place], below(path, new_from + place))
        for place in range(paired, len(olds)):
            yield NodeChange(below(path, old_from + place), in_words(olds[place]), None)
        for place in range(paired, len(news)):
            yield NodeChange(below(path, new_from + place), None, in_words(news[place]))


def _group_kind(node: Any) -> str | None:
    if isinstance(node, dict) and len(node) == 1:
        ((kind, children),) = node.items()
        if kind in GROUP_KINDS and isinstance(children, list):
            return str(kind)
    return None


def _key(node: Any) -> str:
    return json.dumps(node, sort_keys=True)
