"""Merging and taking in at the same time: real threads, committed transactions."""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from django.db import connection

from compliance.services import consent
from segments.models import Event, Profile, ProfileMerge
from segments.partitions import ensure_months, month_of
from segments.profile_input import ProfileInput
from segments.services.merging import MergeError
from tests.factories.compliance import NoticeFactory
from tests.factories.segments import SourceFactory
from tests.segments.identity.stage import NOON, NOW, bought, counted, merge, person, recounted, tell, undo

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS, PAIRS = 12, 10


def run(works: Sequence[Callable[[], None]]) -> None:
    """Do all of it at once, each over a connection of its own. Raises the first failure."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(works))

    def do(work: Callable[[], None]) -> None:
        try:
            start.wait(timeout=20)
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
        assert not thread.is_alive()
    if failures:
        raise failures[0]


@pytest.fixture
def two() -> tuple[Profile, Profile]:
    ensure_months("segments_event", [month_of(NOON)])
    SourceFactory()
    return person(external_id="C1"), person(phone="+8613100000002")


def test_events_sent_during_a_merge_go_to_the_survivor() -> None:
    ensure_months("segments_event", [month_of(NOON)])
    pairs = [(person(external_id=f"C{n}"), person(phone=f"+86131000001{n:02}")) for n in range(PAIRS)]
    done = [threading.Event() for _ in pairs]
    sent = [0] * PAIRS

    def merge_all() -> None:
        for (survivor, absorbed), over in zip(pairs, done, strict=True):
            merge(survivor, absorbed)
            over.set()

    def send(sender: int) -> Callable[[], None]:
        def work() -> None:
            for pair, (_, absorbed) in enumerate(pairs):
                place = 0
                while not (done[pair].is_set() and place > sender):
                    event_id, at = f"{sender}-{pair}-{place}", NOON + timedelta(seconds=place)
                    assert bought("", event_id, "", uid=absorbed.subject.uid, occurred_at=at) == "accepted"
                    place += 1
                with counting:
                    sent[pair] += place

        return work

    counting = threading.Lock()
    run([merge_all, send(0), send(1)])
    assert [Event.objects.filter(profile=survivor).count() for survivor, _ in pairs] == sent
    assert counted() == recounted()


def test_no_event_is_lost_while_people_are_merged_and_parted(two: tuple[Profile, Profile]) -> None:
    first, second = two

    def merge_and_part() -> None:
        for _ in range(ROUNDS):
            undo(merge(first, second))

    def send(number: int) -> Callable[[], None]:
        def work() -> None:
            for place in range(ROUNDS):
                at = NOON + timedelta(seconds=place)
                assert bought("+8613100000002", f"{number}-{place}", "phone", occurred_at=at) == "accepted"

        return work

    run([merge_and_part, send(0), send(1), send(2)])
    assert Event.objects.filter(profile__in=two).count() == 3 * ROUNDS
    assert counted() == recounted()


def test_inputs_that_join_the_same_people_in_different_orders_join_them_once(two: tuple[Profile, Profile]) -> None:
    phones = [f"+86131000001{number:02}" for number in range(6)]
    for number, phone in enumerate(phones):
        person(email=f"p{number}@example.com")
        person(phone=phone)
    inputs = [
        ProfileInput(email=f"p{number}@example.com", phone=phone, city="Wuhan") for number, phone in enumerate(phones)
    ]

    run([lambda: check(inputs), lambda: check(inputs[::-1]), lambda: check(inputs[::2] + inputs[1::2])])
    assert ProfileMerge.objects.count() == len(phones)
    assert Profile.objects.living().filter(city="Wuhan").count() == len(phones)


def check(inputs: list[ProfileInput]) -> None:
    assert not [result for result in tell(*inputs) if result.profile_id is None]


def test_new_people_told_of_twice_at_once_are_made_once() -> None:
    SourceFactory()
    inputs = [ProfileInput(external_id=f"N{number}", email=f"n{number}@example.com") for number in range(20)]
    run([lambda: check(inputs), lambda: check(inputs[::-1]), lambda: check(inputs[5:] + inputs[:5])])
    assert Profile.objects.count() == len(inputs)


def test_merges_the_other_way_round_and_decisions_at_once_end_in_one_person(two: tuple[Profile, Profile]) -> None:
    first, second = two
    notice = NoticeFactory()

    def merge_if_possible(survivor: Profile, absorbed: Profile) -> Callable[[], None]:
        def work() -> None:
            for _ in range(ROUNDS):
                try:
                    undo(merge(survivor, absorbed))
                except MergeError:
                    continue

        return work

    def withdraw(profile: Profile) -> Callable[[], None]:
        def work() -> None:
            for place in range(ROUNDS):
                consent.withdraw(
                    subject_id=profile.pk, purpose_id=notice.purpose_id, channel="email", method="staff", source="test",
                    actor="test", now=NOW + timedelta(minutes=place),
                )  # fmt: skip

        return work

    run([merge_if_possible(first, second), merge_if_possible(second, first), withdraw(second), withdraw(first)])
    merge(first, second)
    assert Profile.objects.living().get() == first
