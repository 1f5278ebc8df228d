"""The kinds of condition that rule trees may hold. Apps above segments register theirs when Django starts."""

from collections.abc import Callable, Mapping
from typing import Any

from segments.rules.nodes import Node

Parser = Callable[[Mapping[str, Any], str], Node]
"""Reads one condition from its JSON form; the text is its JSON Pointer, for `RuleError`."""

GROUP_KINDS = ("all", "any", "none")

_parsers: dict[str, Parser] = {}


def register(kind: str, parser: Parser) -> None:
    """Let objects that have the key `kind` be read by `parser`. Raises `ValueError` when taken."""
    if kind in GROUP_KINDS or _parsers.get(kind, parser) is not parser:
        raise ValueError(f"the kind of condition {kind!r} is taken")
    _parsers[kind] = parser


def kinds() -> list[str]:
    """All registered kinds of condition, sorted."""
    return sorted(_parsers)


def parser_of(kind: str) -> Parser:
    """The parser of a registered kind. Raises `KeyError`."""
    return _parsers[kind]
