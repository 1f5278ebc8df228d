"""What forms suggest while somebody builds a rule: keys of what is declared, and values that occur.

A value that occurs is suggested only when at least `MIN_PEOPLE` different people share it, so that no suggestion tells
of one person (k-anonymity; k = 5). Large tables are read by a sample of their pages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model, Q

from compliance.models import Purpose
from segments.models import Segment, Tag, TagKind
from segments.selectors import common_values

LIMIT = 20


@dataclass(frozen=True)
class Suggestion:
    """A value for a condition, as JSON holds it, and how a form shows it."""

    value: str | int | float | bool
    label: str


@dataclass(frozen=True)
class Wanted:
    """What is looked for: a part of the value, "" for the most common ones, and what other fields hold."""

    term: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """Where suggestions come from, and the permission that one must have to see them."""

    permission: str
    find: Callable[[Wanted], list[Suggestion]]


_sources: dict[str, Source] = {}


def register(name: str, source: Source) -> None:
    """Add a source. Raises `ValueError` when the name is taken."""
    if _sources.get(name, source) != source:
        raise ValueError(f"the source of suggestions {name!r} is taken")
    _sources[name] = source


def find(name: str, wanted: Wanted, *, user: AbstractBaseUser | AnonymousUser) -> list[Suggestion]:
    """Up to `LIMIT` suggestions. Raises `KeyError` for an unknown source, `PermissionError` when `user` may not see
    them.
    """
    source = _sources[name]
    may: Any = user
    if not may.has_perm(source.permission):
        raise PermissionError(name)
    return source.find(wanted)


def declared(model: type[Model], *, condition: Q | None = None) -> Callable[[Wanted], list[Suggestion]]:
    """The source of all rows of a model that has a `key` and a `name`."""

    def search(wanted: Wanted) -> list[Suggestion]:
        matching = Q(key__icontains=wanted.term) | Q(name__icontains=wanted.term)
        rows = model._default_manager.filter(matching, condition or Q()).order_by("name", "key")
        return [Suggestion(key, name or key) for key, name in rows.values_list("key", "name")[:LIMIT]]

    return search


def _occurring(read: Callable[[str, Mapping[str, str], int], list[Any]]) -> Source:
    """A source of values of people, which only those see who may see people."""

    def search(wanted: Wanted) -> list[Suggestion]:
        return [Suggestion(value, _shown(value)) for value in read(wanted.term, wanted.context, LIMIT)]

    return Source("segments.view_profile", search)


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


register("tags", Source("segments.view_tag", declared(Tag, condition=~Q(kind=TagKind.GROUP))))
register("segments", Source("segments.view_segment", declared(Segment)))
register("purposes", Source("compliance.view_purpose", declared(Purpose)))
register("attributes", _occurring(common_values.attribute_keys))
register("attribute_values", _occurring(common_values.attribute_values))
register("places", _occurring(common_values.places))
register("events", _occurring(common_values.event_names))
register("categories", _occurring(common_values.categories))
register("currencies", _occurring(common_values.currencies))
register("properties", _occurring(common_values.property_keys))
register("property_values", _occurring(common_values.property_values))
