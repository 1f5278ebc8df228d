"""What is said about segments that deserve a second look."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache

from campaigns.models import Campaign
from segments.models import Segment, SegmentSize
from segments.rules import parse
from segments.selectors import segment_twins, segment_warnings
from segments.services import previews
from tests.factories.api import api, post
from tests.factories.campaigns import CampaignFactory, UserFactory
from tests.factories.segments import SegmentFactory, TagFactory
from tests.segments.insight.test_overlap import segment_of
from tests.segments.rules.world import NOW, Person, store

pytestmark = pytest.mark.django_db
SHANGHAI = {"attribute": "city", "op": "eq", "value": "Shanghai"}
BEIJING = {"attribute": "city", "op": "eq", "value": "Beijing"}


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    cache.delete(segment_twins.CACHE_KEY)
    yield
    cache.delete(segment_twins.CACHE_KEY)


@pytest.fixture
def people(db: None) -> list[int]:
    """38 people of Shanghai, 62 of Beijing."""
    return store([Person(city="Shanghai")] * 38 + [Person(city="Beijing")] * 62)


def codes(segment: Segment, now: datetime = NOW) -> list[str]:
    """The codes for one segment, which are also those found for all of them together."""
    cache.delete(segment_twins.CACHE_KEY)
    found = segment_warnings.of_segment(segment, now)
    assert segment_warnings.of_all(now)[segment.pk] == found
    return [warning.code for warning in found]


def codes_of_rule(definition: Any, key: str = "") -> list[str]:
    rule = parse(definition)
    found = segment_warnings.of_rule(rule, count=rule.queryset(NOW).count(), now=NOW, key=key)
    return [warning.code for warning in found]


@pytest.mark.parametrize(
    ("members", "expected"),
    [(0, ["empty"]), (1, ["too_small"]), (29, ["too_small"]), (30, []), (95, []), (96, ["everybody"])],
)
def test_the_size_is_judged(people: list[int], members: int, expected: list[str]) -> None:
    assert codes(segment_of(people[:members], "one", NOW, definition=SHANGHAI)) == expected


def test_a_segment_never_counted_is_not_called_empty(people: list[int]) -> None:
    assert codes(SegmentFactory(definition=SHANGHAI)) == []


def test_thresholds_are_settings(people: list[int], settings: Any) -> None:
    segment = segment_of(people[:50], "one", NOW, definition=SHANGHAI)
    settings.SEGMENT_SMALL, settings.SEGMENT_EVERYBODY = 51, 0.4
    assert codes(segment) == ["too_small", "everybody"]


@pytest.mark.parametrize(("count", "expected"), [(20, []), (21, ["too_complex"])])
def test_many_conditions_are_too_complex(people: list[int], count: int, expected: list[str]) -> None:
    definition = {"any": [SHANGHAI] * count}
    assert codes(segment_of(people[:50], "one", NOW, definition=definition)) == expected
    assert codes_of_rule({"any": [{**SHANGHAI}] * count}, key="one") == expected


def test_filters_are_counted_as_conditions(people: list[int]) -> None:
    red = {"property": "color", "op": "eq", "value": "red"}
    for count, is_much in ((19, False), (20, True)):
        rule = {"none": [{"event": "purchase", "op": "gte", "value": 1, "where": [red] * count}]}
        assert ("too_complex" in codes_of_rule(rule)) is is_much


@pytest.mark.parametrize(("depth", "expected"), [(5, []), (6, ["too_complex"])])
def test_deep_nesting_is_too_complex(people: list[int], depth: int, expected: list[str]) -> None:
    definition: Any = SHANGHAI
    for _level in range(depth):
        definition = {"all": [definition]}
    assert codes(segment_of(people[:50], "one", NOW, definition=definition)) == expected


def test_a_high_estimated_cost_is_too_complex(people: list[int], settings: Any) -> None:
    segment = segment_of(people[:50], "one", NOW, definition=SHANGHAI)
    cost = segment_warnings.estimated_cost(parse(SHANGHAI), NOW)
    settings.SEGMENT_COST = cost + 1
    assert codes_of_rule(SHANGHAI, key="one") == []
    settings.SEGMENT_COST = cost - 1
    assert codes_of_rule(SHANGHAI, key="one") == ["too_complex"]
    assert [warning.code for warning in segment_warnings.of_segment(segment, NOW)] == ["too_complex"]


def test_nearly_the_same_members_are_told_on_both_sides(people: list[int]) -> None:
    one = segment_of(people[:40], "one", NOW, definition=SHANGHAI)
    two = segment_of(people[2:40], "two", NOW, definition=BEIJING)  # 38 of 40: 0.95
    three = segment_of(people[5:40], "three", NOW, definition={"all": [BEIJING, SHANGHAI]})  # 35 of 40; 35 of 38: 0.92
    off = segment_of(people[:40], "off", NOW, definition=SHANGHAI, is_active=False)
    assert (codes(one), codes(two), codes(three), codes(off)) == (["near_duplicate"],) * 3 + ([],)
    found = {warning.message for warning in segment_warnings.of_segment(two, NOW)}
    assert found == {"Nearly the same people as: One, Three"}


def test_segments_of_other_sizes_or_people_are_not_alike(people: list[int]) -> None:
    one = segment_of(people[:40], "one", NOW, definition=SHANGHAI)
    segment_of(people[:35], "smaller", NOW, definition=BEIJING)
    segment_of(people[40:80], "others", NOW, definition={"any": []})
    assert codes(one) == []


def test_an_unsaved_rule_is_compared_by_its_people(people: list[int]) -> None:
    segment_of(people[:38], "same", NOW, definition={"any": [BEIJING]})
    assert codes_of_rule(SHANGHAI) == ["near_duplicate"]
    assert codes_of_rule(SHANGHAI, key="same") == []
    assert codes_of_rule(BEIJING) == []


def test_the_same_rule_under_another_key_is_named(people: list[int]) -> None:
    one = SegmentFactory(key="one", name="One", definition=SHANGHAI)
    two = SegmentFactory(key="two", name="Two", definition={"value": "Shanghai", "op": "eq", "attribute": "city"})
    assert (codes(one), codes(two)) == (["same_rule"], ["same_rule"])
    assert codes_of_rule(SHANGHAI, key="one") == ["same_rule"]
    Segment.objects.filter(pk=two.pk).update(is_active=False)
    assert codes(one) == codes_of_rule(SHANGHAI, key="one") == []


def aged(key: str = "old") -> Segment:
    segment: Segment = SegmentFactory(key=key, definition=SHANGHAI, refreshed_at=NOW, member_count=50)
    Segment.objects.filter(pk=segment.pk).update(created_at=NOW - timedelta(days=91))
    segment.refresh_from_db()
    return segment


def test_an_old_segment_that_nothing_asks_for_is_unused(people: list[int]) -> None:
    old = aged()
    assert codes(old) == ["unused"]
    SegmentFactory(key="asks", definition={"segment": "old", "op": "in"})
    assert codes(old) == []


def test_tags_and_campaigns_use_segments(people: list[int]) -> None:
    old = aged()
    tag = TagFactory(key="t", kind="rule", rule={"segment": "old", "op": "in"})
    assert codes(old) == []
    tag.delete()
    campaign = CampaignFactory(segment=old)
    assert codes(old) == ["unused"]  # a draft asks for nothing yet
    Campaign.objects.filter(pk=campaign.pk).update(
        state="submitted", submitted_by=UserFactory(), submitted_at=campaign.scheduled_at
    )
    assert codes(old) == []


@pytest.mark.parametrize(("minutes", "kind", "expected"), [(60, "dynamic", []), (61, "dynamic", ["stale"])])
def test_members_not_refreshed_for_long_are_stale(
    people: list[int], minutes: int, kind: str, expected: list[str]
) -> None:
    refreshed_at = NOW - timedelta(minutes=minutes)
    assert codes(segment_of(people[:50], "one", refreshed_at, definition=SHANGHAI, kind=kind)) == expected


def test_snapshots_and_lists_do_not_become_stale(people: list[int]) -> None:
    long_ago = NOW - timedelta(days=30)
    snapshot = segment_of(people[:50], "one", long_ago, definition=SHANGHAI, kind="snapshot", taken_at=long_ago)
    friends = segment_of(people[50:90], "two", long_ago, definition={}, kind="uploaded")
    assert codes(snapshot) == codes(friends) == []


def test_a_sudden_change_of_size_is_told(people: list[int]) -> None:
    segment = segment_of(people[:50], "one", NOW, definition=SHANGHAI)
    for back, members in enumerate((1_500, 1_000, 1_010, 990)):
        SegmentSize.objects.create(segment=segment, day=date(2026, 3, 2) - timedelta(days=back), members=members)
    assert codes(segment) == ["sudden_change"]
    (found,) = segment_warnings.of_segment(segment, NOW)
    assert found.message == "1,500 people, where 1,000 were usual in the week before."


def test_a_rule_that_cannot_be_read_any_more_is_judged_by_its_members(people: list[int]) -> None:
    assert codes(segment_of(people[:3], "one", NOW, definition={"gone": 1})) == ["too_small"]


def test_a_preview_warns(people: list[int]) -> None:
    segment_of(people[:38], "here", NOW, name="Here", definition={"any": [BEIJING]})
    found = previews.preview(definition=SHANGHAI, form="a", now=NOW)
    assert [warning.message for warning in found.warnings] == ["Nearly the same people as: Here"]


def test_the_api_shows_warnings(people: list[int]) -> None:
    segment_of(people[:3], "one", NOW, definition=SHANGHAI, kind="snapshot", taken_at=NOW)
    detail = api("segments:read").get("/api/v1/segments/one/").json()
    message = "Only 3 people: results say little, and single people can be recognised."
    assert detail["warnings"] == [{"code": "too_small", "message": message}]
    preview = post(api("segments:write"), "segment-preview/", {"definition": {"any": []}}).json()
    assert preview["warnings"] == [{"code": "empty", "message": "Nobody is in it."}]
