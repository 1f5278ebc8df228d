"""The figures of the page about the whole base."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from segments.models import ProfileStats, ProfileTag, Tag
from segments.selectors import customer_base
from tests.segments.rules.world import Person, store

pytestmark = pytest.mark.django_db


def test_cells_stand_in_the_order_of_the_page_and_empty_ones_are_there(now: datetime) -> None:
    ids = store([Person(rfm=(5, 1, 3)), Person(rfm=(5, 1, 1)), Person(rfm=(1, 5, 5)), Person()])
    ProfileStats.objects.filter(pk=ids[0]).update(order_amount=Decimal(10))
    ProfileStats.objects.filter(pk=ids[1]).update(order_amount=Decimal("20.01"))
    grid = customer_base.rfm_grid()
    assert [[cell.people for cell in row] for row in grid] == [[2, 0, 0, 0, 0], *[[0] * 5] * 3, [0, 0, 0, 0, 1]]
    assert [row[0].recency for row in grid] == [5, 4, 3, 2, 1]
    assert [cell.frequency for cell in grid[0]] == [1, 2, 3, 4, 5]
    assert grid[0][0].average_amount == pytest.approx(Decimal(15), abs=Decimal("0.01"))


def test_a_group_of_tags_counts_who_carries_each_now(now: datetime) -> None:
    ids = store([Person(), Person()])
    parent = Tag.objects.create(key="stage", name="Stage", layer="dynamic")
    first, second = (Tag.objects.create(key=key, name=key, layer="dynamic", parent=parent) for key in ("a", "b"))
    for person, expires_at in zip(ids, (None, now - timedelta(days=1)), strict=True):
        ProfileTag.objects.create(profile_id=person, tag=first, source="test", assigned_at=now, expires_at=expires_at)
    shares = customer_base.tag_shares("stage", now)
    assert [(share.key, share.people) for share in shares] == [(first.key, 1), (second.key, 0)]
