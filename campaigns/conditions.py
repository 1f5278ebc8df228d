"""`{"delivery": "spring-offers", "op": "received", "window": {"days": 30}}`: a kind of condition for rule trees.

Who got a message of a campaign, or of any with `"*"`. Sent counts as received until a receipt says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet, Value, lookups
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Delivery
from campaigns.states import DeliveryState
from segments import causes
from segments.rules import Compilation, Dependencies, Node, Predicate
from segments.rules.ageing import came_of_age
from segments.rules.catalogue import Entry, Field
from segments.rules.catalogue_entries import operators
from segments.rules.catalogue_entries import window as window_field
from segments.rules.errors import below
from segments.rules.nodes import IsNotTrue, Touched
from segments.rules.operators import read_operator
from segments.rules.parse import refuse_unknown_keys
from segments.rules.values import TEXT
from segments.rules.window import LIFETIME, Window, read_window
from segments.selectors.suggestions import Suggestion, Wanted, declared

ANY = "*"
RECEIVED = (DeliveryState.SENT, DeliveryState.DELIVERED)


@dataclass(frozen=True)
class DeliveryCondition(Node):
    """Whether somebody got a message of a campaign within a window."""

    campaign: str
    op: str
    window: Window

    def compile(self, compilation: Compilation) -> Predicate:
        rows = self._received().filter(**self.window.filters("sent_at", compilation.now))
        times = compilation.aggregate(("delivery", self.campaign, self.window), rows, "times", Count("*"))
        received = lookups.GreaterThan(times, Value(0))
        return received if self.op == "received" else IsNotTrue(received)

    def describe(self) -> str:
        what = _("a message")
        if self.campaign != ANY:
            what = _("a message of the campaign “%(campaign)s”") % {"campaign": self.campaign}
        shown = {"what": self.window.describe(what)}
        return (_("got %(what)s") if self.op == "received" else _("did not get %(what)s")) % shown

    def depends_on(self) -> Dependencies:
        return Dependencies(others=frozenset({causes.DELIVERY}), clock=self.window.is_rolling)

    def touched_by_clock(self, since: datetime, now: datetime) -> Touched:
        if not self.window.stands_still(since, now):
            return None
        if not self.window.ages:
            return []
        moved = self._received().filter(came_of_age("sent_at", self.window.ages, since, now))
        return [moved.order_by().values_list("profile_id", flat=True).distinct()]

    def to_json(self) -> dict[str, Any]:
        form = {"delivery": self.campaign, "op": self.op}
        return {**form, "window": self.window.to_json()} if self.window != LIFETIME else form

    def _received(self) -> QuerySet[Delivery]:
        rows = Delivery.objects.filter(state__in=RECEIVED)
        return rows if self.campaign == ANY else rows.filter(run__campaign__key=self.campaign)


def parse(definition: Mapping[str, Any], path: str) -> DeliveryCondition:
    """Read a condition on messages received. Raises `RuleError`."""
    refuse_unknown_keys(definition, ("delivery", "op", "window"), path)
    campaign = TEXT.read(definition["delivery"], below(path, "delivery"))
    op = read_operator(definition, path, ("received", "not_received"))
    window = read_window(definition["window"], below(path, "window")) if "window" in definition else LIFETIME
    return DeliveryCondition(campaign, op, window)


def entry() -> Entry:
    """The form of the condition."""
    return Entry(
        _("Message received"),
        "outgoing_mail",
        [
            operators("received", _("got a message of"), "not_received", _("did not get a message of")),
            Field("delivery", "reference", _("Campaign"), suggest="campaigns", initial=ANY),
            window_field(),
        ],
    )


def campaigns(wanted: Wanted) -> list[Suggestion]:
    """Suggestions for the key of a campaign, among them that of all."""
    anything = Suggestion(ANY, _("any campaign"))
    return [anything, *declared(Campaign)(wanted)] if wanted.term in ("", ANY) else declared(Campaign)(wanted)
