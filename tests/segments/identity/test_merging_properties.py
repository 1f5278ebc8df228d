"""In whatever order things happen, statistics are those of the events, and a merge undone at once leaves no trace."""

from datetime import timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from segments.models import Identity, Profile, ProfileMerge
from segments.profile_input import ProfileInput
from segments.services import followup, merging
from segments.services.merging import MergeError
from tests.factories.segments import SegmentFactory
from tests.segments.identity.stage import NOON, NOW, bought, counted, merge, recounted, tell, undo, world

NUMBERS = st.integers(0, 3)
MAYBE = st.none() | NUMBERS
TOLD = st.builds(
    lambda external, email, phone, device, city: ("told", external, email, phone, device, city),
    MAYBE, MAYBE, MAYBE, MAYBE, st.sampled_from([None, "Wuhan", "Hangzhou"]),
)  # fmt: skip
DID = st.tuples(st.just("did"), st.sampled_from(["external_id", "email", "device"]), NUMBERS, NUMBERS, NUMBERS)
MERGED = st.tuples(st.just("merged"), NUMBERS, NUMBERS)
UNDONE = st.tuples(st.just("undone"), NUMBERS)
STEPS = st.lists(TOLD | TOLD | DID | DID | MERGED | UNDONE, max_size=14)


def told(external: int | None, email: int | None, phone: int | None, device: int | None, city: str | None) -> None:
    named = {"external_id": external, "email": email, "phone": phone, "device": device}
    written = {name: _value(name, number) for name, number in named.items() if number is not None}
    tell(ProfileInput(**written, city=city, attributes={"a": city} if city else {}))


def did(identifier: str, number: int, event: int, day: int) -> None:
    bought(
        _value(identifier, number), str(event), identifier, occurred_at=NOON - timedelta(days=day),
        amount=Decimal(event + 1), name="purchase" if event % 2 else "browse",
    )  # fmt: skip


def merged(one: int, other: int) -> None:
    """By hand; then undone and done again, to see that nothing is left of it."""
    people = list(Profile.objects.living().order_by("pk"))
    if len(people) < 2:
        return
    survivor, absorbed = people[one % len(people)], people[other % len(people)]
    if survivor == absorbed:
        return
    before = world()
    undo(merge(survivor, absorbed))
    assert world() == before
    merge(survivor, absorbed)


def undone(number: int) -> None:
    made = list(ProfileMerge.objects.filter(undone_at__isnull=True).order_by("pk"))
    if made:
        one = made[number % len(made)]
        try:
            undo(one)
        except MergeError:
            assert merging.blocking(one) is not None


def _value(name: str, number: int) -> str:
    forms = {"external_id": "C{}", "email": "p{}@example.com", "phone": "+861310000000{}", "device": "d{}"}
    return forms[name].format(number)


ACTS = {"told": told, "did": did, "merged": merged, "undone": undone}


class Sequences(TestCase):
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(STEPS)
    def test_any_sequence_keeps_statistics_and_undoing_restores(self, steps: list[tuple[object, ...]]) -> None:
        for number in range(3):
            told(number, None, number if number else None, None, None)
            did("external_id", number, number, 0)
            did("external_id", 0, number + 1, 1)
        segment = SegmentFactory(definition={"stat": "event_count", "op": "lt", "value": 2})
        for name, *arguments in steps:
            ACTS[str(name)](*arguments)  # type: ignore[operator]
            assert counted() == recounted()
        absorbed = set(Profile.objects.filter(merged_into__isnull=False).values_list("pk", flat=True))
        assert not Identity.objects.filter(profile__in=absorbed).exists()
        assert not Profile.objects.filter(merged_into__in=absorbed).exists()
        while followup.follow_up(now=NOW, actor="test"):
            pass
        few = {pk for pk, (events, *_) in counted().items() if events < 2} - absorbed
        assert set(segment.memberships.values_list("profile", flat=True)) == few
