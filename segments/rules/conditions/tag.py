"""`{"tag": "vip", "op": "has", "min_weight": 0.5}`: tags that somebody carries now; expired ones are gone.

The weight asked for is the effective one at the moment of asking: faded, and times every boost that runs. `has` and
`has_not` are opposites, `min_weight` included: `has_not` is also true of those who carry the tag with less.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, lookups
from django.utils.translation import gettext as _

from segments.models import ProfileTag, TagBoost
from segments.rules.compilation import Compilation
from segments.rules.errors import RuleError, below
from segments.rules.nodes import Dependencies, Node, Predicate, Touched
from segments.rules.operators import read_operator
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import NUMBER, TEXT

KEYS = ("tag", "op", "min_weight")
OPERATORS = ("has", "has_not")


@dataclass(frozen=True)
class TagCondition(Node):
    """Whether somebody carries a tag, with at least a weight when one is given."""

    key: str
    op: str
    min_weight: Decimal | None = None

    def compile(self, compilation: Compilation) -> Predicate:
        carrier = compilation.joined(("tag", self.key, self.min_weight), self._carried(compilation.now))
        return lookups.IsNull(carrier, self.op == "has_not")

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        """Those of whom the tag expired, faded below the weight asked for, or was boosted over it or no more."""
        rows = ProfileTag.objects.filter(tag__key=self.key)
        before, after = self._carried(since).values("pk"), self._carried(now).values("pk")
        changed = rows.filter(Q(pk__in=before) & ~Q(pk__in=after) | ~Q(pk__in=before) & Q(pk__in=after))
        return [changed.order_by().values_list("profile_id", flat=True)]

    def _carried(self, now: datetime) -> QuerySet[ProfileTag]:
        carried = ProfileTag.objects.filter(tag__key=self.key).carried(now)
        if self.min_weight is None:
            return carried
        boosts = TagBoost.objects.filter(tag__key=self.key)
        return carried.weighing_at_least(float(self.min_weight), now, boosts=boosts)

    def describe(self) -> str:
        shown = {"tag": self.key, "weight": "" if self.min_weight is None else NUMBER.show(self.min_weight)}
        if self.min_weight is None:
            return (_("has the tag “%(tag)s”") if self.op == "has" else _("has not the tag “%(tag)s”")) % shown
        if self.op == "has":
            return _("has the tag “%(tag)s” with a weight of at least %(weight)s") % shown
        return _("has not the tag “%(tag)s” with a weight of at least %(weight)s") % shown

    def depends_on(self) -> Dependencies:
        return Dependencies(tags=frozenset({self.key}), clock=True)

    def to_json(self) -> dict[str, Any]:
        form: dict[str, Any] = {"tag": self.key, "op": self.op}
        return form if self.min_weight is None else {**form, "min_weight": NUMBER.dump(self.min_weight)}


def parse(definition: Mapping[str, Any], path: str) -> TagCondition:
    """Read a tag condition. Raises `RuleError`."""
    refuse_unknown_keys(definition, KEYS, path)
    key = TEXT.read(definition["tag"], below(path, "tag"))
    op = read_operator(definition, path, OPERATORS)
    if "min_weight" not in definition:
        return TagCondition(key, op)
    here = below(path, "min_weight")
    weight = NUMBER.read(definition["min_weight"], here)
    if weight <= 0:
        raise RuleError(here, _("must be more than 0"))
    return TagCondition(key, op, weight)
