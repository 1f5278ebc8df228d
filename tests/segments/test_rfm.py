"""RFM quintiles: rank based, equal people never told apart."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.models import ProfileStats, Touch
from segments.selectors import rfm as selectors
from segments.services import rfm
from tests.factories.segments import SegmentFactory, make_profile

pytestmark = pytest.mark.django_db
START = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


def quintile(value: float, values: list[float]) -> int:
    """The stated rule, word for word: the share of the other buyers with a strictly lower value, in fifths."""
    others = len(values) - 1
    lower = sum(other < value for other in values)
    return min(5, 1 + 5 * lower // others) if others else 1


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(-3, 9)), min_size=1, max_size=12))
def test_quintiles_follow_the_rule(data: list[tuple[int, int, int]], now: datetime) -> None:
    for number, (day, orders, amount) in enumerate(data):
        profile = make_profile(number)
        ProfileStats.objects.filter(profile=profile).update(
            order_count=orders, order_amount=Decimal(amount), last_order_at=START + timedelta(days=day),
            rfm_recency=None, rfm_frequency=None, rfm_monetary=None, rfm_at=None,
        )  # fmt: skip
    buyers = [row for row in data if row[1] > 0]
    rfm.recompute(now=now, actor="test")
    rows = ProfileStats.objects.order_by("profile").values_list("rfm_recency", "rfm_frequency", "rfm_monetary")
    expected = [
        tuple(quintile(row[place], [buyer[place] for buyer in buyers]) for place in range(3))
        if row[1] > 0
        else (None, None, None)
        for row in data
    ]
    assert list(rows[: len(data)]) == expected
    ProfileStats.objects.update(order_count=0)


def test_computing_again_changes_nothing(now: datetime) -> None:
    for number in range(10):
        ProfileStats.objects.filter(profile=make_profile(number)).update(
            order_count=number + 1, order_amount=number, last_order_at=START + timedelta(days=number)
        )
    SegmentFactory(definition={"rfm": "recency", "op": "eq", "value": 5})
    Touch.objects.all().delete()
    assert rfm.recompute(now=now, actor="test") == 10
    assert list(Touch.objects.values_list("cause", flat=True)) == ["rfm"] * 10
    assert rfm.recompute(now=now + timedelta(days=1), actor="test") == 0
    assert selectors.cells() == {(n, n, n): 2 for n in range(1, 6)}
