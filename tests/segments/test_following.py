"""Members who follow touches and the clock are those whom asking everybody finds, whatever happened in between."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from segments.event_input import EventInput
from segments.models import Profile, Segment, SegmentChange, SegmentMembership
from segments.profile_input import ProfileInput
from segments.rules import parse
from segments.services import events, followup, merging, profiles, rfm, segments
from segments.services.tags import assignment
from segments.services.tags.assignment import Given
from tests.factories.segments import SourceFactory, TagFactory
from tests.segments.rules.trees import TREES, Tree
from tests.segments.rules.world import NOW

ACTOR = "test"
PEOPLE = st.integers(0, 4)
AGO = st.sampled_from(
    [
        timedelta(minutes=-30),
        timedelta(0),
        timedelta(minutes=59),
        timedelta(days=1),
        timedelta(days=6),
        timedelta(days=29),
    ]
)
DID = st.tuples(
    st.just("did"), PEOPLE, st.sampled_from(["purchase", "browse"]), AGO, st.sampled_from(["", "tea", "fruit"])
)
TOLD = st.tuples(
    st.just("told"), PEOPLE, st.sampled_from(["Shanghai", "Beijing", None]), st.sampled_from(["tea", 4, True])
)
MERGED = st.tuples(st.just("merged"), PEOPLE, PEOPLE)
TAGGED = st.tuples(st.just("tagged"), PEOPLE, st.sampled_from([None, 1, 7]))
RANKED = st.just(("ranked",))
WAITED = st.tuples(
    st.just("waited"),
    st.sampled_from(
        [timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=7)]
    ),
)
STEPS = st.lists(DID | DID | TOLD | MERGED | TAGGED | RANKED | WAITED | WAITED, max_size=12)
BUYERS = {"event": "purchase", "op": "gte", "value": 1, "window": {"days": 7}}
_numbers = count()


class World:
    """A few people to whom things happen at `now`."""

    def __init__(self) -> None:
        self.now = NOW
        self.source = SourceFactory()
        for number in range(5):
            self.told(number, "Shanghai" if number % 2 else None, number)

    def told(self, number: int, city: str | None, taste: object) -> None:
        given = ProfileInput(external_id=f"C{number}", city=city, attributes={"taste": taste})
        profiles.upsert_many(source=self.source, inputs=[given], actor=ACTOR, now=self.now)

    def did(self, number: int, name: str, ago: timedelta, category: str) -> None:
        event = EventInput(
            event_id=f"e{next(_numbers)}", name=name, occurred_at=self.now - ago, identifier="external_id",
            value=f"C{number}", amount=Decimal(next(_numbers) % 7), currency="CNY", category=category,
        )  # fmt: skip
        (result,) = events.ingest(source=self.source, events=[event], actor=ACTOR, now=self.now)
        assert result.status == "accepted", result

    def merged(self, one: int, other: int) -> None:
        people = list(Profile.objects.living().order_by("pk"))
        survivor, absorbed = people[one % len(people)], people[other % len(people)]
        if survivor != absorbed:
            merging.merge(survivor_id=survivor.pk, absorbed_id=absorbed.pk, cause="staff", actor=ACTOR, now=self.now)

    def tagged(self, number: int, days: int | None) -> None:
        people = list(Profile.objects.living().order_by("pk"))
        given = Given(
            profile_id=people[number % len(people)].pk,
            expires_at=None if days is None else self.now + timedelta(days=days),
        )
        assignment.assign(tag=TagFactory(key="vip"), given=given, actor=ACTOR, now=self.now)

    def ranked(self) -> None:
        rfm.recompute(now=self.now, actor=ACTOR)

    def waited(self, span: timedelta) -> None:
        self.now += span
        self.follow()

    def follow(self) -> None:
        while followup.follow_up(now=self.now, actor=ACTOR):
            pass
        followup.follow_clock(now=self.now, actor=ACTOR)


def members(segment: Segment) -> set[int]:
    return set(SegmentMembership.objects.filter(segment=segment).values_list("profile_id", flat=True))


class AnySequence(TestCase):
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(trees=st.lists(TREES, min_size=1, max_size=4), steps=STEPS)
    def test_following_finds_whom_asking_everybody_finds(self, trees: list[Tree], steps: list[tuple[Any, ...]]) -> None:
        world = World()
        made = [
            Segment.objects.create(key=f"s{place}", name="s", definition=parse(tree).to_json())
            for place, tree in enumerate(trees)
        ]
        world.follow()
        for name, *arguments in [*steps, ("waited", timedelta(seconds=1))]:
            getattr(world, name)(*arguments)
            if name == "waited":
                for segment in made:
                    assert members(segment) == set(parse(segment.definition).queryset(world.now)), segment.definition


@pytest.mark.django_db
def test_time_moves_people_without_asking_everybody() -> None:
    world = World()
    segment = segments.create(key="buyers", name="Buyers", definition=BUYERS, actor=ACTOR, now=world.now)
    world.did(0, "purchase", timedelta(0), "")
    world.follow()
    first = segment.memberships.get()
    world.now += timedelta(days=6, hours=23)
    segment.refresh_from_db()
    Segment.objects.update(refreshed_at=world.now)  # as if it had been looked at whole a moment ago
    assert followup.follow_clock(now=world.now, actor=ACTOR) == {}
    assert members(segment) == {first.profile_id}
    world.now += timedelta(hours=1)
    assert followup.follow_clock(now=world.now, actor=ACTOR) == {}
    assert members(segment) == set()
    assert SegmentChange.objects.filter(segment=segment).latest("pk").cause == "clock"
    segment.refresh_from_db()
    assert (segment.member_count, segment.checked_at) == (0, world.now)


@pytest.mark.django_db
def test_everybody_is_asked_once_a_day_and_after_every_change(now: datetime) -> None:
    segment = segments.create(key="buyers", name="Buyers", definition=BUYERS, actor=ACTOR, now=now)
    assert set(followup.follow_clock(now=now, actor=ACTOR)) == {"buyers"}
    assert followup.follow_clock(now=now + timedelta(hours=23), actor=ACTOR) == {}
    assert set(followup.follow_clock(now=now + timedelta(hours=24), actor=ACTOR)) == {"buyers"}
    segments.change_definition(segment=segment, definition={**BUYERS, "value": 2}, actor=ACTOR, now=now)
    assert set(followup.follow_clock(now=now + timedelta(hours=25), actor=ACTOR)) == {"buyers"}
    for is_active in (False, True):
        segments.change_details(
            segment=segment, name="Buyers", description="", is_active=is_active, actor=ACTOR, now=now
        )
    assert set(followup.follow_clock(now=now + timedelta(hours=26), actor=ACTOR)) == {"buyers"}
