"""What becomes of tags when two people turn out to be one."""

from datetime import timedelta

import pytest

from segments.models import PendingGain, Profile, ProfileTag
from segments.services.tags import assignment
from tests.segments.identity.stage import NOON, NOW, merge, person, undo, world
from tests.segments.tags.stage import carried, compute, define, do, follow

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> tuple[Profile, Profile]:
    return person(external_id="C1"), person(phone="+8613100000002")


def test_a_tag_that_either_did_not_want_is_not_carried_after_the_merge(people: tuple[Profile, Profile]) -> None:
    first, second = people
    tags = [define(key, "import", NOW) for key in ("one", "two", "both")]
    for profile, tag in [(first, tags[0]), (second, tags[1]), (first, tags[2]), (second, tags[2])]:
        ProfileTag.objects.create(profile=profile, tag=tag, source="test", assigned_at=NOON)
    assignment.remove(tag=tags[0], profile_id=second.pk, reason="asked", actor="test", now=NOW)
    assignment.remove(tag=tags[1], profile_id=first.pk, reason="asked", actor="test", now=NOW)
    before = world()
    made = merge(first, second)
    assert carried(first, NOW).keys() == {"both"}
    assert set(first.tag_exclusions.values_list("tag__key", flat=True)) == {"one", "two"}
    undo(made)
    assert world() == before
    assert list(second.tag_exclusions.values_list("tag__key", flat=True)) == ["one"]


def test_interests_are_those_of_all_events_before_and_after(people: tuple[Profile, Profile]) -> None:
    first, second = people
    likes = define("likes", "interest", NOW, rhythm="at_once", half_life_days=7.0, floor=0.01, gains={"click": 1})
    compute(likes, NOW)
    for profile in people:
        do(profile, "click", NOW - timedelta(hours=1), category="tea", now=NOW)
    follow(NOW)
    apart = carried(second, NOW)
    do(second, "click", NOW - timedelta(hours=1), category="tea", now=NOW)
    assert PendingGain.objects.filter(profile=second).exists()
    made = merge(first, second)
    follow(NOW)
    (weight,) = apart.values()
    (joined,) = carried(first, NOW).values()
    assert joined == pytest.approx(3 * weight)
    assert carried(second, NOW) == {}
    undo(made)
    follow(NOW)
    assert carried(first, NOW).popitem()[1] == pytest.approx(weight)
    assert carried(second, NOW).popitem()[1] == pytest.approx(2 * weight)
