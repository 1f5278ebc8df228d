"""The definitions that ship with Heed, against people made for each of them."""

from datetime import datetime, timedelta

import pytest

from segments.models import Tag
from segments.services import rfm, tags
from segments.services.tags import definitions
from tests.segments.tags.stage import ACTOR, carried, compute, do, follow, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _ready_made(now: datetime) -> None:
    tags.ensure_ready_made(actor=ACTOR, now=now)


def test_they_are_made_once_and_stay_as_staff_left_them(now: datetime) -> None:
    before = Tag.objects.count()
    assert before == 13
    lifecycle = Tag.objects.get(key="lifecycle")
    definitions.change(tag=lifecycle, fields={"is_active": False, "name": "Ours"}, actor=ACTOR, now=now)
    assert tags.ensure_ready_made(actor=ACTOR, now=now) == []
    assert Tag.objects.count() == before
    lifecycle.refresh_from_db()
    assert (lifecycle.name, lifecycle.is_active) == ("Ours", False)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([], None),
        ([29], "lifecycle-new"),
        ([30], "lifecycle-new"),
        ([31], "lifecycle-active"),
        ([300, 5], "lifecycle-active"),
        ([91], "lifecycle-dormant"),
        ([366], "lifecycle-churned"),
    ],
)
def test_lifecycle(days: list[int], expected: str | None, now: datetime) -> None:
    someone = person()
    for ago in days:
        do(someone, "purchase", now - timedelta(days=ago), amount="5", now=now)
    compute(Tag.objects.get(key="lifecycle"), now)
    assert list(carried(someone, now)) == ([expected] if expected else [])


def test_the_threshold_is_a_parameter(now: datetime) -> None:
    someone = person()
    do(someone, "purchase", now - timedelta(days=40), amount="5", now=now)
    group = Tag.objects.get(key="lifecycle")
    group.parameters.filter(name="new_days").update(value=60)
    definitions.details_changed(tag=group, actor=ACTOR, now=now)
    compute(group, now)
    assert list(carried(someone, now)) == ["lifecycle-new"]


def test_value_tiers(now: datetime) -> None:
    buyers = [person() for _ in range(10)]
    for number, buyer in enumerate(buyers):
        do(buyer, "purchase", now - timedelta(days=100 - number), amount=str(10 + number), now=now)
    asleep = person()
    do(asleep, "purchase", now - timedelta(days=181), amount="999", now=now)
    rfm.recompute(now=now, actor=ACTOR)
    compute(Tag.objects.get(key="tier"), now)
    tiers = [next(iter(carried(buyer, now))) for buyer in [*buyers, asleep]]
    assert tiers[-1] == "tier-dormant"
    assert "tier-high" in tiers
    assert "tier-potential" in tiers
    assert tiers[0] == "tier-basic"


def test_interest_and_recent_orders_follow_a_purchase_at_once(now: datetime) -> None:
    someone = person()
    do(someone, "purchase", now, amount="5", category="tea", now=now)
    follow(now)
    assert carried(someone, now) == {"interest-tea": 5.0, "orders-30-days": 1.0}
    compute(Tag.objects.get(key="favourite"), now)
    assert set(carried(someone, now)) == {"interest-tea", "orders-30-days", "favourite-tea"}


def test_all_of_them_can_be_computed(now: datetime) -> None:
    assert set(tags.compute_due(now=now, actor=ACTOR)) == {
        "lifecycle", "tier", "favourite", "orders-30-days", "interest",
    }  # fmt: skip
    assert not Tag.objects.exclude(error="").exists()
