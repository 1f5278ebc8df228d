"""The definitions that ship with Heed: lifecycle, value tier, favourite category, recent orders, interests.

Why these figures, which are parameters to be edited in the admin:

- Lifecycle. New for 30 days after the first order, the usual time of a welcome series. Active with an order in the
  last 90 days, a quarter: three chances for somebody who buys monthly. Dormant until 365 days, a year, so that people
  who buy once a season are not given up; churned beyond.
- Value tier. High-value is the best fifth by amount, which in many shops makes most of the turnover (Pareto); potential
  are people of the upper three fifths by amount who bought lately; dormant is who has not bought for 180 days, half a
  year, however much before; basic is every other buyer.
- Interest. Half-life of 14 days, so that a search for a present is forgotten in two months; a click tells twice as
  much as a view, the basket three times, a purchase five times; gone below 0.1, a view faded for 46 days.

Lifecycle and tier are computed daily: both say what to send tomorrow. The RFM quintiles themselves are a condition
(`rfm`) of rule trees.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from segments.models import Measure, Output, Rhythm, Tag, TagKind, TagLayer
from segments.services.tags import definitions

LOCK = 0x48454544_04


@dataclass(frozen=True)
class ReadyMade:
    """A definition with those below it."""

    key: str
    name: str
    kind: TagKind
    description: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, tuple[Decimal, str]] = field(default_factory=dict)
    gains: Mapping[str, Decimal] = field(default_factory=dict)
    children: tuple["ReadyMade", ...] = ()


def ensure_ready_made(*, actor: str, now: datetime) -> list[str]:
    """Create those that are not there yet, by key; what staff changed or retired stays. Returns the new keys.

    Harmless when repeated, and when several processes start at once.
    """
    created: list[str] = []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        for place, wanted in enumerate(_all()):
            _ensure(wanted, None, place, created, actor=actor, now=now)
    return created


def _ensure(
    wanted: ReadyMade, parent: Tag | None, position: int, created: list[str], *, actor: str, now: datetime
) -> None:
    tag = Tag.objects.filter(key=wanted.key).first()
    if tag is None:
        fields = {
            "key": wanted.key, "name": wanted.name, "kind": wanted.kind, "layer": TagLayer.DYNAMIC, "parent": parent,
            "description": wanted.description, "position": position, **wanted.fields,
        }  # fmt: skip
        tag = definitions.create(
            fields=fields, parameters=wanted.parameters, gains=wanted.gains, actor=actor, now=now
        )  # fmt: skip
        created.append(wanted.key)
    for place, child in enumerate(wanted.children):
        _ensure(child, tag, place, created, actor=actor, now=now)


def _ordered_within(stat: str, parameter: str) -> dict[str, Any]:
    return {"stat": stat, "op": "gte", "value": {"days_ago": {"parameter": parameter}}}


def _quintile(name: str, parameter: str) -> dict[str, Any]:
    return {"rfm": name, "op": "gte", "value": {"parameter": parameter}}


def _rule(key: str, name: str, rule: Mapping[str, Any]) -> ReadyMade:
    return ReadyMade(key, name, TagKind.RULE, fields={"rule": rule})


HAS_ORDERED = {"stat": "order_count", "op": "gte", "value": 1}
DAILY_GROUP = {"is_exclusive": True, "rhythm": Rhythm.DAILY}


def _all() -> tuple[ReadyMade, ...]:
    return (_lifecycle(), _tier(), _favourite(), _recent_orders(), _interest())


def _lifecycle() -> ReadyMade:
    return ReadyMade(
        "lifecycle", _("Lifecycle"), TagKind.GROUP,
        description=_("Where a customer stands since the first order. The first rule that holds wins."),
        fields=DAILY_GROUP,
        parameters={
            "new_days": (Decimal(30), _("days since the first order that make a new customer")),
            "active_days": (Decimal(90), _("days since the last order that make an active customer")),
            "churned_days": (Decimal(365), _("days since the last order after which a customer is lost")),
        },
        children=(
            _rule("lifecycle-new", _("New"), _ordered_within("first_order_at", "new_days")),
            _rule("lifecycle-active", _("Active"), _ordered_within("last_order_at", "active_days")),
            _rule("lifecycle-dormant", _("Dormant"), _ordered_within("last_order_at", "churned_days")),
            _rule("lifecycle-churned", _("Churned"), HAS_ORDERED),
        ),
    )  # fmt: skip


def _tier() -> ReadyMade:
    asleep = {"stat": "last_order_at", "op": "lt", "value": {"days_ago": {"parameter": "dormant_days"}}}
    promising = [_quintile("recency", "potential_recency"), _quintile("monetary", "potential_monetary")]
    return ReadyMade(
        "tier", _("Value tier"), TagKind.GROUP,
        description=_("What a customer is worth, by RFM quintiles. The first rule that holds wins."),
        fields=DAILY_GROUP,
        parameters={
            "dormant_days": (Decimal(180), _("days without an order after which a customer is dormant")),
            "high_monetary": (Decimal(5), _("monetary quintile from which a customer is of high value")),
            "potential_recency": (Decimal(4), _("recency quintile from which a customer has potential")),
            "potential_monetary": (Decimal(3), _("monetary quintile from which a customer has potential")),
        },
        children=(
            _rule("tier-dormant", _("Dormant value"), asleep),
            _rule("tier-high", _("High-value"), _quintile("monetary", "high_monetary")),
            _rule("tier-potential", _("Potential"), {"all": promising}),
            _rule("tier-basic", _("Basic"), HAS_ORDERED),
        ),
    )  # fmt: skip


def _favourite() -> ReadyMade:
    fields = {
        "event_name": "purchase", "measure": Measure.OCCASIONS, "output": Output.TOP_CATEGORY, "window_days": 365,
        "rhythm": Rhythm.WEEKLY,
    }  # fmt: skip
    description = _("The category bought most often within a year; of equals the one bought last.")
    return ReadyMade("favourite", _("Favourite category"), TagKind.AGGREGATE, description, fields)


def _recent_orders() -> ReadyMade:
    fields = {
        "event_name": "purchase", "measure": Measure.OCCASIONS, "output": Output.WEIGHT, "window_days": 30,
        "rhythm": Rhythm.AT_ONCE,
    }  # fmt: skip
    description = _("The weight is the number of orders in the last 30 days.")
    return ReadyMade("orders-30-days", _("Orders in the last 30 days"), TagKind.AGGREGATE, description, fields)


def _interest() -> ReadyMade:
    return ReadyMade(
        "interest", _("Interest"), TagKind.INTEREST,
        description=_("What somebody looks at and buys, by category, fading with time."),
        fields={"half_life_days": 14.0, "floor": 0.1, "rhythm": Rhythm.AT_ONCE},
        gains={"view": Decimal(1), "click": Decimal(2), "add_to_cart": Decimal(3), "purchase": Decimal(5)},
    )  # fmt: skip
