"""From JSON to a tree of nodes. Pure: whether a tag or an event of that name exists is not asked here."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from django.utils.translation import gettext as _

from segments.rules import registry
from segments.rules.errors import RuleError, below
from segments.rules.nodes import Group, Node

MAX_DEPTH = 10
MAX_CONDITIONS = 100


def parse_tree(definition: object) -> Node:
    """Read a whole tree. Raises `RuleError` with the path of the first faulty node."""
    node = parse_node(definition, "", 1)
    if node.size > MAX_CONDITIONS:
        raise RuleError("", _("more than %(most)d conditions") % {"most": MAX_CONDITIONS})
    return node


def parse_node(definition: object, path: str, depth: int) -> Node:
    """Read the node at `path`: the one key that names a group or a registered kind decides how."""
    if not isinstance(definition, Mapping):
        raise RuleError(path, _("must be an object"))
    if depth > MAX_DEPTH:
        raise RuleError(path, _("nested more than %(most)d levels deep") % {"most": MAX_DEPTH})
    known = (*registry.GROUP_KINDS, *registry.kinds())
    named = [key for key in known if key in definition]
    if len(named) != 1:
        raise RuleError(path, _("must have exactly one of the keys %(keys)s") % {"keys": ", ".join(known)})
    kind = named[0]
    if kind in registry.GROUP_KINDS:
        return _group(definition, kind, path, depth)
    return registry.parser_of(kind)(definition, path)


def refuse_unknown_keys(definition: Mapping[str, Any], allowed: tuple[str, ...], path: str) -> None:
    """Raise `RuleError` when the object has a key that its kind does not know."""
    unknown = sorted(str(key) for key in definition if key not in allowed)
    if unknown:
        raise RuleError(
            below(path, unknown[0]), _("unknown key; allowed here: %(keys)s") % {"keys": ", ".join(allowed)}
        )


def _group(definition: Mapping[str, Any], kind: str, path: str, depth: int) -> Group:
    refuse_unknown_keys(definition, (kind,), path)
    here = below(path, kind)
    children = definition[kind]
    if not isinstance(children, list):
        raise RuleError(here, _("must be a list"))
    return Group(
        cast(Literal["all", "any", "none"], kind),
        tuple(parse_node(child, below(here, index), depth + 1) for index, child in enumerate(children)),
    )
