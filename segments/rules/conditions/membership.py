"""`{"segment": "vip", "op": "in"}`: who is a member of another segment now, or is not.

Whether there is such a segment, and whether segments ask for each other in a circle, is checked when one is saved.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import lookups
from django.utils.translation import gettext as _

from segments import causes
from segments.models import SegmentMembership
from segments.rules.compilation import Compilation
from segments.rules.errors import below
from segments.rules.nodes import Dependencies, Node, Predicate
from segments.rules.operators import read_operator
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import TEXT


@dataclass(frozen=True)
class MembershipCondition(Node):
    """Whether somebody is a member of a segment."""

    key: str
    op: str

    def compile(self, compilation: Compilation) -> Predicate:
        members = SegmentMembership.objects.filter(segment__key=self.key)
        return lookups.IsNull(compilation.joined(("segment", self.key), members), self.op == "not_in")

    def describe(self) -> str:
        if self.op == "in":
            return _("is in the segment “%(segment)s”") % {"segment": self.key}
        return _("is not in the segment “%(segment)s”") % {"segment": self.key}

    def depends_on(self) -> Dependencies:
        return Dependencies(segments=frozenset({self.key}), others=frozenset({causes.segment(self.key)}))

    def to_json(self) -> dict[str, Any]:
        return {"segment": self.key, "op": self.op}


def parse(definition: Mapping[str, Any], path: str) -> MembershipCondition:
    """Read a condition on another segment. Raises `RuleError`."""
    refuse_unknown_keys(definition, ("segment", "op"), path)
    key = TEXT.read(definition["segment"], below(path, "segment"))
    return MembershipCondition(key, read_operator(definition, path, ("in", "not_in")))
