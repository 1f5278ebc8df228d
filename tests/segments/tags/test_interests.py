"""Interests: each event counts once, in any order, and what is added bit by bit is what all events together give."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.models import PendingGain, ProfileTag, Segment, SegmentMembership, Tag
from segments.services import imports, segments, tags
from tests.segments.tags.stage import ACTOR, carried, compute, define, do, follow, person

pytestmark = pytest.mark.django_db

GAINS = {"view": 1, "click": 2}


@pytest.fixture
def interest(now: datetime) -> Tag:
    tag = define("interest", "interest", now, half_life_days=10.0, floor=0.1, rhythm="at_once", gains=GAINS)
    compute(tag, now)
    return tag


def test_an_interest_follows_its_event_and_fades(interest: Tag, now: datetime) -> None:
    reader = person()
    do(reader, "view", now, category="tea", now=now)
    follow(now)
    assert carried(reader, now) == {"interest-tea": 1.0}
    later = now + timedelta(days=10)
    assert carried(reader, later) == {"interest-tea": pytest.approx(0.5)}
    do(reader, "click", later, category="tea", now=later)
    follow(later)
    assert carried(reader, later) == {"interest-tea": pytest.approx(2.5)}
    assert carried(reader, later + timedelta(days=46)) == {"interest-tea": pytest.approx(0.1031, abs=1e-3)}
    assert carried(reader, later + timedelta(days=47)) == {}  # below the floor


def test_a_segment_follows_the_interest_in_the_same_pass(interest: Tag, now: datetime) -> None:
    reader = person()
    do(reader, "view", now, category="tea", now=now)
    follow(now)
    rule = {"tag": "interest-tea", "op": "has", "min_weight": 2}
    fond = segments.create(key="fond", name="Fond of tea", definition=rule, actor=ACTOR, now=now)
    assert Segment.objects.filter(pk=fond.pk).exists()
    do(reader, "click", now, category="tea", now=now)
    follow(now)
    assert SegmentMembership.objects.filter(segment=fond, profile=reader).exists()


def test_events_without_category_or_of_other_names_add_nothing(interest: Tag, now: datetime) -> None:
    reader = person()
    do(reader, "view", now, now=now)
    do(reader, "scroll", now, category="tea", now=now)
    assert not PendingGain.objects.exists()
    follow(now)
    assert carried(reader, now) == {}


def test_a_category_in_another_script_gets_a_tag_of_its_own(interest: Tag, now: datetime) -> None:
    reader = person()
    for category in ("茶", "水果", "Green Tea!", "green-tea"):
        do(reader, "view", now, category=category, now=now)
    follow(now)
    assert len(carried(reader, now)) == 4
    assert set(Tag.objects.filter(parent=interest).values_list("category", flat=True)) == {
        "茶", "水果", "Green Tea!", "green-tea",
    }  # fmt: skip


def test_what_is_pending_is_not_counted_again_by_a_full_computation(interest: Tag, now: datetime) -> None:
    reader = person()
    do(reader, "view", now, category="tea", now=now)
    compute(interest, now)  # sees the event among all events
    assert not PendingGain.objects.exists()
    follow(now)
    assert carried(reader, now) == {"interest-tea": 1.0}


def test_an_unchanged_interest_is_not_written_again(interest: Tag, now: datetime) -> None:
    reader = person()
    for day in range(5):
        do(reader, "view", now - timedelta(days=day), category="tea", now=now)
    follow(now)
    row = ProfileTag.objects.get(profile=reader)
    before = ProfileTag.objects.raw("SELECT id, xmin::text AS version FROM segments_profiletag")[0].version
    changes = compute(interest, now + timedelta(days=1))
    assert changes is not None
    assert (changes.given, changes.taken) == (0, 0)
    assert ProfileTag.objects.raw("SELECT id, xmin::text AS version FROM segments_profiletag")[0].version == before
    assert ProfileTag.objects.get(profile=reader).weight == row.weight


HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(["view", "click"]),
        st.sampled_from(["tea", "fruit"]),
        st.integers(0, 400),  # days ago
        st.integers(0, 86_399),
        st.booleans(),  # whether follow-up runs after it
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(happenings=HAPPENINGS)
def test_adding_one_by_one_gives_what_all_events_give(
    happenings: list[tuple[str, str, int, int, bool]], interest: Tag, now: datetime
) -> None:
    reader = person()
    for name, category, days, seconds, at_once in happenings:
        do(reader, name, now - timedelta(days=days, seconds=seconds), category=category, now=now)
        if at_once:
            follow(now)
    follow(now)
    rows = ProfileTag.objects.filter(profile=reader).order_by("tag")
    added = list(rows.values_list("tag", "weight", "weighed_at", "expires_at"))
    expected: dict[str, float] = {}
    for name, category, days, seconds, _ in happenings:
        age = timedelta(days=days, seconds=seconds) / timedelta(days=10)
        expected[f"interest-{category}"] = expected.get(f"interest-{category}", 0) + GAINS[name] * 0.5**age
    weighed = dict(rows.weighed(now).values_list("tag__key", "effective_weight"))
    assert weighed == pytest.approx(expected, rel=1e-9)
    rows.delete()
    compute(interest, now)
    again = list(rows.all().values_list("tag", "weight", "weighed_at", "expires_at"))
    assert [row[0] for row in again] == [row[0] for row in added]
    for (_, weight, at, expires), (_, weight_2, at_2, expires_2) in zip(added, again, strict=True):
        assert (weight_2, at_2) == (pytest.approx(weight, rel=1e-9), at)
        assert abs(expires_2 - expires) < timedelta(seconds=1)


def test_the_weight_of_an_old_interest_does_not_underflow(interest: Tag, now: datetime) -> None:
    reader = person()
    do(reader, "view", now, category="tea", now=now)
    follow(now)
    century = now + timedelta(days=36_500)
    rows = ProfileTag.objects.filter(profile=reader).weighed(century)
    assert 0 < rows.get().effective_weight < 1e-50


def test_a_file_lets_interests_be_computed_for_everybody(interest: Tag, now: datetime, tmp_path: Path) -> None:
    reader = person(external_id="C-5")
    file = tmp_path / "views.csv"
    file.write_text(f"external_id,event_id,occurred_at,category\nC-5,1,{now.isoformat()},tea\n")
    imports.import_events(
        path=file, source_key="shop", mapping={}, name="view", currency="CNY", timezone="UTC", actor=ACTOR, now=now
    )
    assert not PendingGain.objects.exists()
    interest.refresh_from_db()
    assert interest.due_at == now + timedelta(minutes=5)
    tags.compute_due(now=now + timedelta(minutes=5), actor=ACTOR)
    assert carried(reader, now) == {"interest-tea": 1.0}
