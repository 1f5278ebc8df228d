"""Suggestions tell what is declared and what many share, and never what fewer than five people have."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from segments.models import EventType, ProfileTag
from segments.selectors import common_values, suggestions
from segments.selectors.suggestions import Wanted
from tests.factories.campaigns import UserFactory
from tests.factories.compliance import NoticeFactory
from tests.factories.segments import SegmentFactory, TagFactory, make_profile
from tests.segments.rules.world import Happening, Person, store

pytestmark = pytest.mark.django_db
ENOUGH = common_values.MIN_PEOPLE


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", "root@example.com", "x")


def values(name: str, user: User, term: str = "", **context: str) -> list[Any]:
    return [found.value for found in suggestions.find(name, Wanted(term, context), user=user)]


def buyers(number: int, now: datetime, *, category: str = "tea", **person: Any) -> list[int]:
    bought = [Happening("purchase", now - timedelta(days=1), Decimal(9), category)]
    return store([Person(events=list(bought), **person) for _ in range(number)])


def test_a_city_is_suggested_once_five_people_live_there(root: User) -> None:
    store([Person(city="Shanghai")] * (ENOUGH - 1) + [Person(city="Beijing")] * ENOUGH)
    assert values("attribute_values", root, attribute="city") == ["Beijing"]
    store([Person(city="Shanghai")])
    assert set(values("attribute_values", root, attribute="city")) == {"Shanghai", "Beijing"}
    assert values("attribute_values", root, "SHANG", attribute="city") == ["Shanghai"]
    assert values("attribute_values", root, "100%", attribute="city") == []


def test_keys_and_typed_values_of_further_attributes_are_suggested(root: User) -> None:
    store([Person(attributes={"taste": "tea", "floor": 4, "vip": True, "rare": {}}) for _ in range(ENOUGH)])
    store([Person(attributes={"secret": "only me", "taste": "only me"})])
    assert sorted(values("attributes", root)) == [
        "attributes.floor",
        "attributes.rare",
        "attributes.taste",
        "attributes.vip",
    ]
    assert values("attribute_values", root, attribute="attributes.taste") == ["tea"]
    assert values("attribute_values", root, attribute="attributes.floor") == [4]
    assert values("attribute_values", root, attribute="attributes.vip") == [True]
    assert values("attribute_values", root, attribute="attributes.rare") == [], "objects cannot be compared"
    assert values("attribute_values", root, attribute="name_encrypted") == [], "no column that is not listed"


def test_one_person_with_many_events_shares_nothing(root: User, now: datetime) -> None:
    store([Person(events=[Happening("odd", now - timedelta(days=day), category="odd") for day in range(20)])])
    buyers(ENOUGH, now)
    assert values("events", root) == ["purchase"]
    assert values("categories", root) == ["tea"]
    assert values("categories", root, event="odd") == []
    assert values("currencies", root) == ["CNY"]


def test_properties_are_suggested_by_event(root: User, now: datetime) -> None:
    buyers(ENOUGH, now)
    with connection.cursor() as cursor:
        cursor.execute("""UPDATE segments_event SET properties = '{"color": "red", "size": 41}'""")
    assert values("properties", root, event="purchase") == ["color", "size"]
    assert values("properties", root, event="browse") == []
    assert values("property_values", root, event="purchase", property="size") == [41]
    assert values("property_values", root, event="purchase", property="") == []


def test_what_is_declared_is_suggested_although_nobody_has_it(root: User) -> None:
    EventType.objects.create(name="check_in", properties={"shop": {"type": "text"}})
    TagFactory(key="vip", name="Very important")
    SegmentFactory(key="lovers", name="Tea lovers")
    purpose = NoticeFactory().purpose
    assert values("events", root) == ["check_in"]
    assert values("properties", root, event="check_in") == ["shop"]
    assert values("tags", root, "important") == ["vip"]
    assert values("segments", root) == ["lovers"]
    assert values("purposes", root) == [purpose.key]
    assert not ProfileTag.objects.exists()


def test_places_are_suggested_within_the_levels_above(root: User) -> None:
    for number in range(2 * ENOUGH):
        city, country = ("Shenzhen", "CN") if number % 2 else ("Oslo", "NO")
        make_profile(number, city=city, country=country)
    assert values("places", root, field="country") == ["CN", "NO"]
    assert values("places", root, field="city", country="NO") == ["Oslo"]
    assert values("places", root, field="timezone") == []


def test_people_are_read_only_for_those_who_may_see_people() -> None:
    nobody = UserFactory(username="nobody")
    for name in ("tags", "segments", "purposes", "attribute_values", "events"):
        with pytest.raises(PermissionError):
            suggestions.find(name, Wanted(), user=nobody)
    with pytest.raises(KeyError):
        suggestions.find("passwords", Wanted(), user=nobody)


def test_a_source_has_one_meaning() -> None:
    other = suggestions.Source("segments.view_tag", lambda wanted: [])
    with pytest.raises(ValueError, match="taken"):
        suggestions.register("tags", other)
