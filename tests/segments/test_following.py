"""Members who follow touches and the clock are those whom asking everybody finds, whatever happened in between."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from campaigns.models import Delivery, Run
from compliance.services import consent
from segments.event_input import EventInput
from segments.models import Profile, Segment, SegmentChange, SegmentMembership
from segments.profile_input import ProfileInput
from segments.rules import parse
from segments.services import events, followup, merging, profiles, rfm, segments
from segments.services.tags import assignment
from segments.services.tags.assignment import Given
from tests.factories.campaigns import CampaignFactory, DeliveryFactory, RunFactory
from tests.factories.compliance import NoticeFactory, PurposeFactory
from tests.factories.segments import SourceFactory, TagFactory
from tests.segments.rules.trees import TREES, Tree
from tests.segments.rules.world import NOW

ACTOR = "test"
BUYERS = {"event": "purchase", "op": "gte", "value": 1, "window": {"days": 7}}
WEEK = {"days": 7}
AGREED = {"consent": "offers", "channel": "email", "op": "given"}
MOVING: tuple[Tree, ...] = (
    BUYERS,
    {"none": [BUYERS]},
    {"event": "purchase", "measure": "sum", "op": "gte", "value": 5, "window": {"days": 1}},
    {"event": "browse", "op": "eq", "value": 1, "window": {"hours": 2}, "category": "tea"},
    {"event": "browse", "measure": "last", "op": "lt", "value": {"days_ago": 7}},
    {"event": "browse", "measure": "first", "op": "gte", "value": {"days_ago": 1}},
    {"event": "purchase", "op": "gte", "value": 1, "window": {"calendar": "today"}},
    {"event": "purchase", "op": "gte", "value": 1, "window": {"calendar": "last_week"}},
    {"sequence": [{"event": "browse"}, {"event": "purchase"}], "op": "did_not", "within": {"hours": 2}},
    {
        "sequence": [{"event": "browse"}, {"event": "purchase"}],
        "op": "did",
        "within": {"days": 1},
        "window": {"days": 7},
    },
    {"event": "browse", "op": "gte", "value": 1, "where": [{"property": "due", "op": "lt", "value": {"days_ago": 1}}]},
    {
        "event": "purchase",
        "measure": "distinct",
        "of": "properties.color",
        "op": "gte",
        "value": 2,
        "window": WEEK,
        "where": [{"property": "due", "op": "gte", "value": {"days_ago": 1}}],
    },
    {
        "sequence": [
            {"event": "browse", "where": [{"property": "due", "op": "gt", "value": {"days_ago": 0}}]},
            {"event": "purchase", "where": [{"property": "color", "op": "ne", "value": "red"}]},
        ],
        "op": "did",
        "within": {"days": 7},
    },
    {"stat": "last_order_at", "op": "gte", "value": {"days_ago": 1}},
    {"stat": "first_event_at", "op": "lt", "value": {"days_ago": 7}},
    {"stat": "event_count", "op": "gte", "value": 2},
    {"attribute": "created_at", "op": "lt", "value": {"days_ago": 1}},
    {"attribute": "city", "op": "eq", "value": "Shanghai"},
    {"attribute": "attributes.taste", "op": "eq", "value": 4},
    {"attribute": "attributes.taste", "op": "gt", "value": {"days_ago": 1}},
    {"anniversary": "first_order_at", "op": "within", "days": 362},
    {"tag": "vip", "op": "has"},
    {"tag": "vip", "op": "has_not"},
    {"rfm": "recency", "op": "gte", "value": 3},
    {"all": [{"segment": "s0", "op": "in"}, {"tag": "vip", "op": "has_not"}]},
    AGREED,
    {"consent": "offers", "channel": "email", "op": "not_given"},
    {"all": [AGREED, {"delivery": "*", "op": "not_received", "window": {"days": 1}}]},
    {"delivery": "*", "op": "received"},
    {"delivery": "spring", "op": "received", "window": {"hours": 2}},
    {"delivery": "spring", "op": "not_received", "window": {"calendar": "today"}},
)
"""One of each way in which time, or something that happens, moves people."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AGO = (-30 * MINUTE, 0 * DAY, 59 * MINUTE, HOUR, DAY - HOUR, DAY, 6 * DAY, 7 * DAY - MINUTE)
WAITS = (timedelta(seconds=1), MINUTE, HOUR, HOUR, 12 * HOUR, DAY, 7 * DAY)
ACTS = (
    *["did"] * 3, "told", "merged", *["tagged"] * 2, "ranked", *["decided"] * 3, "expired", *["sent"] * 2, "bounced",
    *["waited"] * 5,
)  # fmt: skip
STEPS = 36
WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)  # a smaller seed is no simpler
_numbers = count()


class World:
    """A few people to whom things happen at `now`."""

    def __init__(self) -> None:
        self.now = NOW
        self.source = SourceFactory()
        self.notice = NoticeFactory(purpose=PurposeFactory(key="offers"))
        self.runs = [RunFactory(campaign=CampaignFactory(key=key), scheduled_at=NOW) for key in ("spring", "summer")]
        for number in range(5):
            self.told(number, "Shanghai" if number % 2 else None, number)

    def told(self, number: int, city: str | None, taste: object) -> None:
        given = ProfileInput(external_id=f"C{number}", city=city, attributes={"taste": taste})
        profiles.upsert_many(source=self.source, inputs=[given], actor=ACTOR, now=self.now)

    def did(
        self, number: int, name: str, ago: timedelta, category: str, properties: Mapping[str, object] | None = None
    ) -> None:
        event = EventInput(
            event_id=f"e{next(_numbers)}", name=name, occurred_at=self.now - ago, identifier="external_id",
            value=f"C{number}", amount=Decimal(next(_numbers) % 7), currency="CNY", category=category,
            properties=properties or {},
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

    def decided(self, number: int, action: str, method: str, end: timedelta | None) -> None:
        """Anybody decides, also somebody who was merged."""
        people = list(Profile.objects.order_by("pk"))
        decision = consent.Decision(
            subject_id=people[number % len(people)].pk, purpose_id=self.notice.purpose_id, channel="email",
            action=action, method=method, notice_id=self.notice.pk, source="test", occurred_at=self.now,
            expires_at=end and self.now + end,
        )  # fmt: skip
        consent.record(decision=decision, actor=ACTOR, now=self.now)

    def expired(self) -> None:
        consent.expire_due(now=self.now, actor=ACTOR)

    def sent(self, number: int, run: Run, ahead: timedelta) -> None:
        """`ahead`: so much later by the clock of the worker who sent it."""
        people = list(Profile.objects.living().order_by("pk"))
        made = DeliveryFactory(
            run=run, profile=people[number % len(people)], step=next(_numbers) % 2**15, state="claimed"
        )
        Delivery.objects.filter(pk=made.pk).update(state="sent", sent_at=self.now + ahead)

    def bounced(self) -> None:
        last = Delivery.objects.filter(state="sent").order_by("-sent_at", "-pk").values("pk")[:1]
        Delivery.objects.filter(pk__in=last).update(state="bounced")

    def ranked(self) -> None:
        rfm.recompute(now=self.now, actor=ACTOR)

    def waited(self, span: timedelta) -> None:
        self.now += span
        self.follow()

    def follow(self) -> None:
        """What beat wakes: touches each second, the clock each minute, and touches again that the clock led to."""
        self.follow_touches()
        # As if everybody had been asked a moment ago: what is looked at is what time and touches move.
        Segment.objects.filter(refreshed_at__isnull=False).update(refreshed_at=self.now)
        followup.follow_clock(now=self.now, actor=ACTOR)
        self.follow_touches()

    def follow_touches(self) -> None:
        while followup.follow_up(now=self.now, actor=ACTOR):
            pass


def members(segment: Segment) -> set[int]:
    return set(SegmentMembership.objects.filter(segment=segment).values_list("profile_id", flat=True))


def due(world: World, chance: random.Random) -> str:
    """A time that was or will be, as a source says it."""
    return (world.now + chance.choice((-2, -1, 0, 1)) * DAY + chance.choice((0, 1)) * HOUR).isoformat()


def step(world: World, chance: random.Random) -> None:
    """Something happens, or time passes."""
    number = chance.randrange(5)
    match chance.choice(ACTS):
        case "did":
            category = chance.choice(("", "tea", "fruit"))
            properties = {"color": chance.choice(("red", 4, None)), "due": due(world, chance)}
            world.did(number, chance.choice(("purchase", "browse")), chance.choice(AGO), category, properties)
        case "told":
            world.told(
                number, chance.choice(("Shanghai", "Beijing", None)), chance.choice(("tea", 4, due(world, chance)))
            )
        case "merged":
            if chance.random() < 0.2:
                world.merged(number, chance.randrange(5))
        case "tagged":
            world.tagged(number, chance.choice((None, 1, 1, 7)))
        case "decided":
            action, end = chance.choice((("given", None), ("given", DAY), ("given", HOUR), ("withdrawn", None)))
            world.decided(number, action, chance.choice(("form", "import")), end)
        case "expired":
            world.expired()
        case "sent":
            world.sent(number, chance.choice(world.runs), chance.choice((0 * DAY, 0 * DAY, MINUTE)))
        case "bounced":
            world.bounced()
        case "ranked":
            world.ranked()
        case "waited":
            world.waited(chance.choice(WAITS))


class AnySequence(TestCase):
    @settings(max_examples=3, deadline=None, phases=WITHOUT_SHRINKING, suppress_health_check=[HealthCheck.too_slow])
    @given(trees=st.lists(TREES, min_size=1, max_size=4), seed=st.integers(0, 2**32))
    @example(trees=[], seed=1)
    @example(trees=[], seed=2)
    @example(trees=[], seed=3)
    def test_following_finds_whom_asking_everybody_finds(self, trees: list[Tree], seed: int) -> None:
        world, chance = World(), random.Random(seed)
        made = [
            Segment.objects.create(key=f"s{place}", name="s", definition=parse(tree).to_json())
            for place, tree in enumerate((*MOVING, *trees))
        ]
        world.follow()
        for _ in range(STEPS):
            before = world.now
            step(world, chance)
            if world.now > before:
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


@pytest.mark.django_db
def test_what_several_rules_ask_of_the_clock_is_asked_once(now: datetime) -> None:
    for key, value in (("buyers", 1), ("keen", 2)):
        segments.create(key=key, name=key, definition={**BUYERS, "value": value}, actor=ACTOR, now=now)
    followup.follow_clock(now=now, actor=ACTOR)
    with CaptureQueriesContext(connection) as queries:
        assert followup.follow_clock(now=now + MINUTE, actor=ACTOR) == {}
    assert len([query for query in queries if 'FROM "segments_event"' in query["sql"]]) == 1
