"""`{"place": {"country": "CN", "city": "Shenzhen"}, "op": "in"}`: where somebody lives; a list of places means any.

Somebody of whom no country is known is neither in a place nor outside of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q, Value, lookups
from django.utils.translation import gettext as _

from segments.rules.compilation import Compilation
from segments.rules.errors import RuleError, below
from segments.rules.nodes import Dependencies, IsNotTrue, Node, Predicate
from segments.rules.operators import read_operator
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import TEXT

LEVELS = ("country", "region", "city")
MAX_PLACES = 100


@dataclass(frozen=True)
class Place:
    """A country, or a region or city in it; '' where a level is not asked."""

    country: str
    region: str = ""
    city: str = ""

    def levels(self) -> dict[str, str]:
        """The levels that are asked."""
        return {name: getattr(self, name) for name in LEVELS if getattr(self, name)}

    def predicate(self) -> Q:
        """Whether a profile is there."""
        return Q(*(lookups.Exact(F(name), Value(value)) for name, value in self.levels().items()))


@dataclass(frozen=True)
class PlaceCondition(Node):
    """Whether somebody lives in one of some places."""

    places: tuple[Place, ...]
    op: str
    is_list: bool

    def compile(self, compilation: Compilation) -> Predicate:
        there = Q(*(place.predicate() for place in self.places), _connector=Q.OR)
        if self.op == "in":
            return there
        known = lookups.GreaterThan(F("country"), Value(""))
        return Q(known, IsNotTrue(there))

    def describe(self) -> str:
        names = [_(", ").join(reversed(place.levels().values())) for place in self.places]
        shown = {"places": _(" or ").join(names)}
        return (_("lives in %(places)s") if self.op == "in" else _("lives outside of %(places)s")) % shown

    def depends_on(self) -> Dependencies:
        return Dependencies(attributes=frozenset(LEVELS))

    def to_json(self) -> dict[str, Any]:
        places = [place.levels() for place in self.places]
        return {"place": places if self.is_list else places[0], "op": self.op}


def parse(definition: Mapping[str, Any], path: str) -> PlaceCondition:
    """Read a condition on places. Raises `RuleError`."""
    refuse_unknown_keys(definition, ("place", "op"), path)
    here, raw = below(path, "place"), definition["place"]
    op = read_operator(definition, path, ("in", "not_in"))
    if not isinstance(raw, list):
        return PlaceCondition((_place(raw, here),), op, is_list=False)
    if not 0 < len(raw) <= MAX_PLACES:
        raise RuleError(here, _("must be a list of 1 to %(most)d values") % {"most": MAX_PLACES})
    places = tuple(_place(item, below(here, index)) for index, item in enumerate(raw))
    return PlaceCondition(places, op, is_list=True)


def _place(raw: object, path: str) -> Place:
    if not isinstance(raw, Mapping):
        raise RuleError(path, _("must be an object"))
    refuse_unknown_keys(raw, LEVELS, path)
    if "country" not in raw:
        raise RuleError(below(path, "country"), _("missing"))
    return Place(**{name: TEXT.read(raw[name], below(path, name)) for name in LEVELS if name in raw})
