"""`{"consent": "offers", "channel": "email", "op": "given"}`: what the person has agreed to, as the gate would see it.

Suppressions are of addresses and are not asked here. No record means no.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, lookups
from django.utils.translation import gettext as _

from compliance.channels import Channel
from compliance.models import ConsentAction, ConsentState
from segments import causes
from segments.rules.compilation import Compilation
from segments.rules.errors import below
from segments.rules.nodes import Dependencies, Node, Predicate, Touched
from segments.rules.operators import read_operator
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import TEXT, Choice

CHANNEL = Choice(dict(Channel.choices))


@dataclass(frozen=True)
class ConsentCondition(Node):
    """Whether somebody has said yes to a purpose on a channel, and it holds now."""

    purpose: str
    channel: str
    op: str

    def compile(self, compilation: Compilation) -> Predicate:
        given = self._given().filter(Q(expires_at__isnull=True) | Q(expires_at__gt=compilation.now))
        key = ("consent", self.purpose, self.channel)
        return lookups.IsNull(compilation.joined(key, given, person="subject_id"), self.op == "not_given")

    def describe(self) -> str:
        shown = {"purpose": self.purpose, "channel": CHANNEL.show(self.channel)}
        if self.op == "given":
            return _("has agreed to “%(purpose)s” by %(channel)s") % shown
        return _("has not agreed to “%(purpose)s” by %(channel)s") % shown

    def depends_on(self) -> Dependencies:
        return Dependencies(others=frozenset({causes.CONSENT}), clock=True)

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        """Those whose consent expired."""
        return [self._given().filter(expires_at__gt=since, expires_at__lte=now).values_list("subject_id", flat=True)]

    def to_json(self) -> dict[str, Any]:
        return {"consent": self.purpose, "channel": self.channel, "op": self.op}

    def _given(self) -> QuerySet[ConsentState]:
        return ConsentState.objects.filter(
            purpose__key=self.purpose, channel=self.channel, action=ConsentAction.GIVEN
        ).order_by()


def parse(definition: Mapping[str, Any], path: str) -> ConsentCondition:
    """Read a condition on a consent. Raises `RuleError`."""
    refuse_unknown_keys(definition, ("consent", "channel", "op"), path)
    purpose = TEXT.read(definition["consent"], below(path, "consent"))
    channel = CHANNEL.read(definition.get("channel"), below(path, "channel"))
    return ConsentCondition(purpose, channel, read_operator(definition, path, ("given", "not_given")))
