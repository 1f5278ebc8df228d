"""The history: who entered and left which segment, when and why."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from compliance import holdings
from compliance.models import AuditLeaf
from segments import causes
from segments.event_input import EventInput
from segments.models import Profile, Segment, SegmentChange, SegmentMembership
from segments.selectors import segment_history as selectors
from segments.services import events, followup, memberships, refreshing, segment_history, segments
from tests.factories.segments import SourceFactory, make_profile
from tests.segments.identity.stage import merge, undo
from tests.segments.membership.stage import (
    ACTOR,
    BEIJING,
    BUYERS,
    NOW,
    create,
    history,
    listed,
    members,
    move,
    take_in,
)

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


def buy(customer: str, at: datetime) -> None:
    event = EventInput(
        event_id=f"{customer}-{at}", name="purchase", occurred_at=at, identifier="external_id", value=customer,
        amount=Decimal(9), currency="CNY",
    )  # fmt: skip
    (result,) = events.ingest(source=SourceFactory(), events=[event], actor=ACTOR, now=at)
    assert result.status == "accepted"


def test_a_new_rule_a_refresh_by_hand_and_the_clock_are_told_apart() -> None:
    stays, leaves = make_profile(1, city="Shanghai"), make_profile(2, city="Shanghai")
    segment = create()
    segments.refresh(segment=segment, now=NOW, actor=ACTOR)
    move(leaves, "Beijing")
    segments.refresh(segment=segment, now=LATER, actor=ACTOR)
    move(leaves, "Shanghai")
    refreshing.refresh_all(now=LATER, actor=ACTOR)
    segments.change_definition(segment=segment, definition=BEIJING, actor=ACTOR, now=LATER)
    refreshing.refresh_all(now=LATER + timedelta(minutes=1), actor=ACTOR)
    told = history(segment)
    assert sorted(told[:2]) == [(pk, "entered", "definition", 1) for pk in sorted([stays.pk, leaves.pk])]
    assert told[2:4] == [(leaves.pk, "left", "refresh", 1), (leaves.pk, "entered", "clock", 1)]
    assert sorted(told[4:]) == [(pk, "left", "definition", 2) for pk in sorted([stays.pk, leaves.pk])]


def test_what_touched_the_person_is_the_cause() -> None:
    person = make_profile(1, city="Beijing")
    local, buyers = create("local"), create("buyers", BUYERS)
    followup.follow_up(now=NOW, actor=ACTOR)
    buy("C1", LATER)
    make_profile(1, city="Shanghai")
    followup.follow_up(now=LATER, actor=ACTOR)
    assert history(buyers) == [(person.pk, "entered", "event:purchase", 1)]
    assert history(local) == [(person.pk, "entered", "attribute:city", 1)]
    assert SegmentChange.objects.get(segment=buyers).at == LATER


def test_people_touched_by_different_causes_keep_their_own() -> None:
    people = [make_profile(number, city="Shanghai") for number in range(3)]
    segment = create()
    touched = {causes.attribute("city"): {people[0].pk, people[2].pk}, causes.IDENTITY: {people[1].pk, people[2].pk}}
    memberships.recheck(touched=touched, now=NOW, actor=ACTOR)
    expected = ["attribute:city", "merge", "attribute:city"]
    assert [row[2] for row in sorted(history(segment))] == expected


def test_a_recheck_that_moves_nobody_is_no_history() -> None:
    person = make_profile(1, city="Shanghai")
    segment = create()
    for moment in (NOW, LATER):
        memberships.recheck(touched={causes.attribute("city"): {person.pk}}, now=moment, actor=ACTOR)
        segments.refresh(segment=segment, now=moment, actor=ACTOR)
    assert len(history(segment)) == 1


def test_signs_of_percent_in_a_rule_do_not_disturb_the_statement() -> None:
    person = make_profile(1, city="100% Town_")
    segment = create("odd", {"attribute": "city", "op": "contains", "value": "% Town"})
    memberships.recheck(touched={causes.attribute("city"): {person.pk}}, now=NOW, actor=ACTOR)
    assert members(segment) == {person.pk}


def test_history_and_members_agree_after_anything() -> None:
    people = [make_profile(number, city="Shanghai") for number in range(4)]
    segment, friends = create(), listed("friends", *people[:2])
    for step, city in enumerate(("Beijing", "Shanghai", "Beijing")):
        moment = NOW + timedelta(minutes=step)
        segments.refresh(segment=segment, now=moment, actor=ACTOR)
        move(people[step], city)
        take_in(friends, *people[step : step + 2], mode=("replace", "remove", "add")[step], now=moment)
    segments.refresh(segment=segment, now=LATER, actor=ACTOR)
    for one in (segment, friends):
        inside: set[int] = set()
        for person, kind, _cause, _version in history(one):
            assert (person in inside) == (kind == "left")
            inside ^= {person}
        assert inside == members(one)
        one.refresh_from_db()
        assert one.member_count == len(inside)


@pytest.mark.parametrize("kind", ["uploaded", "snapshot", "inactive"])
def test_a_merge_moves_members_that_no_rule_moves_and_says_so(kind: str) -> None:
    survivor, absorbed = make_profile(1, city="Beijing"), make_profile(2, city="Shanghai")
    if kind == "uploaded":
        segment = listed("friends", absorbed)
    else:
        segment = create(kind="snapshot" if kind == "snapshot" else "dynamic")
        segments.refresh(segment=segment, now=NOW, actor=ACTOR)
        Segment.objects.filter(pk=segment.pk).update(is_active=kind != "inactive")
    before = history(segment)
    made = merge(survivor, absorbed, now=LATER)
    assert members(segment) == {survivor.pk}
    assert history(segment)[1:] == [(absorbed.pk, "left", "merge", 1), (survivor.pk, "entered", "merge", 1)]
    undo(made, now=LATER + timedelta(hours=1))
    assert members(segment) == {absorbed.pk}
    assert history(segment)[3:] == [(survivor.pk, "left", "merge", 1), (absorbed.pk, "entered", "merge", 1)]
    assert history(segment)[:1] == before


def test_where_both_were_members_one_only_leaves() -> None:
    survivor, absorbed = make_profile(1), make_profile(2)
    friends = listed("friends", survivor, absorbed)
    made = merge(survivor, absorbed, now=LATER)
    assert history(friends)[2:] == [(absorbed.pk, "left", "merge", 1)]
    undo(made, now=LATER + timedelta(hours=1))
    assert history(friends)[3:] == [(absorbed.pk, "entered", "merge", 1)]
    friends.refresh_from_db()
    assert (members(friends), friends.member_count) == ({survivor.pk, absorbed.pk}, 2)


def test_the_history_of_whom_a_person_took_in_is_theirs() -> None:
    survivor, absorbed = make_profile(1), make_profile(2)
    listed("friends", absorbed)
    merge(survivor, absorbed, now=LATER)
    assert [(row.profile_id, row.kind) for row in selectors.changes_of(survivor.pk)] == [
        (survivor.pk, "entered"), (absorbed.pk, "left"), (absorbed.pk, "entered"),
    ]  # fmt: skip


def _holding() -> holdings.Holding:
    return next(one for one in holdings.all_holdings() if one.name == "segment_history")


def test_people_get_their_history_and_it_is_erased_with_them() -> None:
    survivor, absorbed, other = make_profile(1), make_profile(2), make_profile(3)
    friends = listed("friends", absorbed, other)
    merge(survivor, absorbed, now=LATER)
    rows: list[Any] = list(_holding().collect(survivor.pk))
    assert [(row["segment"], row["change"], row["cause"]) for row in rows] == [
        ("Friends", "entered", "upload"), ("Friends", "left", "merge"), ("Friends", "entered", "merge"),
    ]  # fmt: skip
    assert _holding().erase(survivor.pk, LATER) == 3
    assert [row[0] for row in history(friends)] == [other.pk]


def test_no_history_is_left_of_a_profile_that_is_gone() -> None:
    person = make_profile(1)
    friends = listed("friends", person)
    Profile.objects.filter(pk=person.pk).delete()
    assert not SegmentMembership.objects.exists()
    assert history(friends) == []


def test_old_changes_are_forgotten_and_the_log_tells(settings: Any) -> None:
    settings.SEGMENT_HISTORY_DAYS = 30
    person, other = make_profile(1), make_profile(2)
    friends = listed("friends", person)
    month_later = NOW + timedelta(days=30)
    take_in(friends, other, now=month_later)
    assert segment_history.forget(now=month_later, actor="system") == 0
    assert segment_history.forget(now=month_later + timedelta(seconds=1), actor="system") == 1
    assert [row[0] for row in history(friends)] == [other.pk]
    assert members(friends) == {person.pk, other.pk}
    assert AuditLeaf.objects.filter(action="segment_history.forgotten").count() == 1


def test_more_than_one_batch_is_forgotten(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_history, "BATCH", 2)
    listed("friends", *[make_profile(number) for number in range(5)])
    assert segment_history.forget(now=NOW + timedelta(days=401), actor="system") == 5


def test_a_cause_is_put_into_words() -> None:
    assert selectors.cause_in_words("event:purchase") == "event purchase"
    assert selectors.cause_in_words("clock") == "time passed"
    assert selectors.cause_in_words("something else") == "something else"
