"""`{"sequence": [{"event": "add_to_cart"}, {"event": "purchase"}], "op": "did_not", "within": {"hours": 24}}`.

`did`: each step came after the one before it, and no later than `within` after it; two to five steps. `did_not`: the
first of two steps came, and the second did not within `within` after it; only firsts whose time is over count. A
`window` is about the first step. A step may have a `category`, and `where` as a condition on events has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Value, lookups
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from segments.models import Event
from segments.rules.ageing import people_with_events
from segments.rules.compilation import Compilation
from segments.rules.conditions import properties
from segments.rules.conditions.properties import Filters, read_where
from segments.rules.errors import RuleError, below
from segments.rules.nodes import Dependencies, Node, Predicate, Touched
from segments.rules.operators import read_operator
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import TEXT, Whole, is_storable
from segments.rules.window import LIFETIME, Window, read_window

MAX_NAME = 64
MIN_STEPS, MAX_STEPS = 2, 5
UNITS = {"days": 3650, "hours": 87_600, "minutes": 5_256_000}
"""Ten years at most."""


@dataclass(frozen=True)
class Step:
    """An event, of a category and with properties when they are given."""

    event: str
    category: str = ""
    where: Filters = ()

    def events(self, now: datetime) -> QuerySet[Event]:
        """The events that are such a step."""
        events = Event.objects.filter(name=self.event, **({"category": self.category} if self.category else {}))
        return properties.filtered(events, self.where, now)

    def to_json(self) -> dict[str, Any]:
        """The JSON form."""
        optional = {"category": self.category, "where": [each.to_json() for each in self.where]}
        return {"event": self.event, **{key: value for key, value in optional.items() if value}}

    def describe(self) -> str:
        """Such as “purchase” in category “tea”."""
        name = properties.describe_where(TEXT.show(self.event), self.where)
        if not self.category:
            return name
        return _("%(event)s in category %(category)s") % {"event": name, "category": TEXT.show(self.category)}


@dataclass(frozen=True)
class SequenceCondition(Node):
    """Whether somebody did one thing after another, or left the second undone."""

    steps: tuple[Step, ...]
    op: str
    unit: str
    amount: int
    window: Window

    def compile(self, compilation: Compilation) -> Predicate:
        first = self.steps[0].events(compilation.now).filter(**self.window.filters("occurred_at", compilation.now))
        if self.op == "did":
            rows = first.filter(Exists(self._following(1, compilation)))
        else:
            over = compilation.now - self._within
            rows = first.filter(~Exists(self._following(1, compilation)), occurred_at__lte=over)
        key = ("sequence", self.steps, self.op, self.unit, self.amount, self.window)
        times = compilation.aggregate(key, rows, "times", Count("*"))
        return lookups.GreaterThan(times, Value(0))

    @property
    def _within(self) -> timedelta:
        return timedelta(**{self.unit: self.amount})

    def _following(self, place: int, compilation: Compilation) -> QuerySet[Event]:
        """The events of one step that may follow an event of the step before it."""
        rows = self.steps[place].events(compilation.now).filter(
            Q(occurred_at__gt=OuterRef("occurred_at")),
            Q(occurred_at__lte=OuterRef("occurred_at") + Value(self._within)),
            **self._bounds(place, compilation.now), profile=OuterRef("profile_id"),
        )  # fmt: skip
        return rows.filter(Exists(self._following(place + 1, compilation))) if place + 1 < len(self.steps) else rows

    def _bounds(self, place: int, now: datetime) -> dict[str, datetime]:
        """When that step can have been at all: constants, so that partitions outside are unread."""
        window = self.window.filters("occurred_at", now)
        ends = [bound + place * self._within for lookup, bound in window.items() if lookup.endswith(("__lt", "__lte"))]
        return {**self.window.starts("occurred_at", now), "occurred_at__lte": min([now, *ends])}

    def describe(self) -> str:
        names = [step.describe() for step in self.steps]
        within = {
            "days": ngettext("%(n)d day", "%(n)d days", self.amount),
            "hours": ngettext("%(n)d hour", "%(n)d hours", self.amount),
            "minutes": ngettext("%(n)d minute", "%(n)d minutes", self.amount),
        }[self.unit] % {"n": self.amount}
        names[0] = self.window.describe(names[0])
        if self.op == "did":
            return _("did %(steps)s, each within %(time)s") % {"steps": _(", then ").join(names), "time": within}
        shown = {"first": names[0], "second": names[1], "time": within}
        return _("did %(first)s and not %(second)s within %(time)s") % shown

    @property
    def size(self) -> int:
        return 1 + sum(len(step.where) for step in self.steps)

    def depends_on(self) -> Dependencies:
        moves = any(properties.uses_clock(step.where) for step in self.steps)
        clock = self.op == "did_not" or self.window.is_rolling or moves
        return Dependencies(events=frozenset(step.event for step in self.steps), clock=clock)

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        if not self.window.stands_still(since, now):
            return None
        ages = {timedelta(0), *self.window.ages, *([self._within] if self.op == "did_not" else [])}
        moved = [properties.people_moved(step.event, step.where, self.window, since, now) for step in self.steps]
        return [people_with_events({step.event for step in self.steps}, ages, since, now), *chain(*moved)]

    def to_json(self) -> dict[str, Any]:
        form = {
            "sequence": [step.to_json() for step in self.steps],
            "op": self.op,
            "within": {self.unit: self.amount},
        }
        return {**form, "window": self.window.to_json()} if self.window != LIFETIME else form


def parse(definition: Mapping[str, Any], path: str) -> SequenceCondition:
    """Read a sequence. Raises `RuleError`."""
    refuse_unknown_keys(definition, ("sequence", "op", "within", "window"), path)
    here, raw = below(path, "sequence"), definition["sequence"]
    op = read_operator(definition, path, ("did", "did_not"))
    most = MAX_STEPS if op == "did" else MIN_STEPS
    if not isinstance(raw, list) or not MIN_STEPS <= len(raw) <= most:
        raise RuleError(here, _("must be a list of %(least)d to %(most)d steps") % {"least": MIN_STEPS, "most": most})
    unit, amount = _within(definition.get("within"), below(path, "within"))
    window = read_window(definition["window"], below(path, "window")) if "window" in definition else LIFETIME
    return SequenceCondition(
        tuple(_step(step, below(here, index)) for index, step in enumerate(raw)), op, unit, amount, window
    )


def _step(raw: object, path: str) -> Step:
    if not isinstance(raw, Mapping):
        raise RuleError(path, _("must be an object"))
    refuse_unknown_keys(raw, ("event", "category", "where"), path)
    name = raw.get("event")
    if not is_storable(name, MAX_NAME):
        raise RuleError(below(path, "event"), _("must be a text of 1 to %(most)d characters") % {"most": MAX_NAME})
    category = TEXT.read(raw["category"], below(path, "category")) if "category" in raw else ""
    return Step(name, category, read_where(raw, path))


def _within(raw: object, path: str) -> tuple[str, int]:
    if not isinstance(raw, Mapping) or len(raw) != 1 or next(iter(raw)) not in UNITS:
        raise RuleError(path, _('must be {"days": n}, {"hours": n} or {"minutes": n}'))
    ((unit, amount),) = raw.items()
    return unit, int(Whole(1, UNITS[unit]).read(amount, below(path, unit)))
