"""The nodes of a rule tree. A group is one here; conditions are in `segments.rules.conditions` and in other
apps.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from django.db.models import BooleanField, Func, Q, QuerySet, Value
from django.db.models.expressions import Combinable
from django.utils.translation import gettext as _

from segments import causes

if TYPE_CHECKING:
    from segments.rules.compilation import Compilation

ANY_EVENT = "*"
"""Stands in `Dependencies.events` for every event, whatever its name."""

Predicate = Combinable | Q
Touched = list["QuerySet[Any, int]"] | None
"""Questions for ids of profiles; None stands for everybody."""


@dataclass(frozen=True)
class Dependencies:
    """What the answer of a rule depends on: it can change only when one of these does.

    `clock` means that the passing of time alone may change it (rolling windows, ages, expiring tags).
    """

    events: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    """Further `segments.causes`: RFM, consents, deliveries, other segments."""
    clock: bool = False

    def __or__(self, other: "Dependencies") -> "Dependencies":
        return Dependencies(
            events=self.events | other.events,
            attributes=self.attributes | other.attributes,
            tags=self.tags | other.tags,
            segments=self.segments | other.segments,
            others=self.others | other.others,
            clock=self.clock or other.clock,
        )

    @property
    def causes(self) -> frozenset[str]:
        """The words of `segments.causes` for all of it but the clock."""
        named = {causes.event(name) for name in self.events} | {causes.tag(key) for key in self.tags}
        return self.others | named | {causes.attribute(name) for name in self.attributes}

    def concern(self, cause: str) -> bool:
        """Whether a touch with this cause may change the answer."""
        any_event = ANY_EVENT in self.events and cause.startswith(causes.event(""))
        return any_event or cause == causes.IDENTITY or cause in self.causes


class Node(ABC):
    """A node of the tree: it says yes or no about each person."""

    @abstractmethod
    def compile(self, compilation: "Compilation") -> Predicate:
        """The node as a condition on a row of Profile. Null counts as no."""

    @abstractmethod
    def describe(self) -> str:
        """The node in plain words of the active language, without capital letter or full stop."""

    @property
    def size(self) -> int:
        """How many questions it asks: one for a condition, and one for each filter within it."""
        return 1

    @abstractmethod
    def depends_on(self) -> Dependencies:
        """What the node's answer depends on."""

    def touched_by_clock(self, since: datetime, now: datetime) -> "Touched":
        """Those of whom the answer at `now` may be another than at `since` though nothing happened but that time
        passed; None when it cannot be told.
        """
        return None if self.depends_on().clock else []

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The node in the JSON form that `parse` reads."""


class IsNotTrue(Func):
    """SQL's `x IS NOT TRUE`: a negation under which null, like false, becomes true."""

    template = "(%(expressions)s) IS NOT TRUE"
    output_field = BooleanField()


@dataclass(frozen=True)
class Group(Node):
    """All, any or none of the children. An empty `any` is nobody; an empty `all` or `none` is everybody."""

    kind: Literal["all", "any", "none"]
    children: tuple[Node, ...]

    def compile(self, compilation: "Compilation") -> Predicate:
        if not self.children:
            return Value(self.kind != "any", output_field=BooleanField())
        parts = [child.compile(compilation) for child in self.children]
        if self.kind == "all":
            return Q(*parts)
        either = Q(*parts, _connector=Q.OR)
        return either if self.kind == "any" else IsNotTrue(either)

    def describe(self) -> str:
        if not self.children:
            return _("nobody") if self.kind == "any" else _("everybody")
        parts = [
            f"({child.describe()})"
            if isinstance(child, Group) and len(child.children) > 1 and child.kind != "none"
            else child.describe()
            for child in self.children
        ]
        if self.kind == "all":
            return _(" and ").join(parts)
        either = _(" or ").join(parts)
        return either if self.kind == "any" else _("not (%(part)s)") % {"part": either}

    @property
    def size(self) -> int:
        return sum(child.size for child in self.children)

    def depends_on(self) -> Dependencies:
        found = Dependencies()
        for child in self.children:
            found |= child.depends_on()
        return found

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        found: list[QuerySet[Any, int]] = []
        for child in self.children:
            touched = child.touched_by_clock(since, now)
            if touched is None:
                return None
            found += touched
        return found

    def to_json(self) -> dict[str, Any]:
        return {self.kind: [child.to_json() for child in self.children]}
