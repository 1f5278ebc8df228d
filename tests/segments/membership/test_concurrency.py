"""Lists, snapshots and merges at the same time: real threads, committed transactions."""

import threading
import time
from collections.abc import Sequence
from functools import partial

import pytest
from django.db import connection, transaction

from segments.models import Profile, Segment
from tests.factories.segments import make_profile
from tests.segments.identity.stage import merge
from tests.segments.identity.test_concurrency import run
from tests.segments.membership.stage import NOW, create, history, listed, members, take_in

pytestmark = pytest.mark.django_db(transaction=True)


def _wait_until_somebody_waits() -> None:
    waiting, until = 0, time.monotonic() + 20
    while not waiting:
        assert time.monotonic() < until, "nobody waits"
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            (waiting,) = cursor.fetchone()


def test_a_list_that_names_somebody_who_is_being_merged_lets_the_survivor_in() -> None:
    survivor, absorbed = make_profile(1), make_profile(2)
    segment = listed()
    merged = threading.Event()

    def join() -> None:
        with transaction.atomic():
            merge(survivor, absorbed, now=NOW)
            merged.set()
            _wait_until_somebody_waits()

    def upload() -> None:
        merged.wait(timeout=60)
        take_in(segment, absorbed)

    run([join, upload])
    assert members(segment) == {survivor.pk}
    assert history(segment) == [(survivor.pk, "entered", "upload", 1)]


def test_a_snapshot_taken_while_somebody_in_it_is_being_merged_holds_the_survivor() -> None:
    survivor, absorbed = make_profile(1), make_profile(2, city="Shanghai")
    merged = threading.Event()

    def join() -> None:
        with transaction.atomic():
            merge(survivor, absorbed, now=NOW)
            merged.set()
            _wait_until_somebody_waits()

    def take() -> None:
        merged.wait(timeout=60)
        create("then", kind="snapshot")

    run([join, take])
    segment = Segment.objects.get()
    assert members(segment) == {survivor.pk}
    assert history(segment) == [(survivor.pk, "entered", "snapshot", 1)]
    assert segment.member_count == 1


def test_a_merge_of_somebody_in_a_snapshot_that_is_being_taken_comes_after_it() -> None:
    survivor, absorbed = make_profile(1), make_profile(2, city="Shanghai")
    taken = threading.Event()

    def take() -> None:
        with transaction.atomic():
            create("then", kind="snapshot")
            taken.set()
            _wait_until_somebody_waits()

    def join() -> None:
        taken.wait(timeout=60)
        merge(survivor, absorbed, now=NOW)

    run([take, join])
    segment = Segment.objects.get()
    assert members(segment) == {survivor.pk}
    assert segment.member_count == 1


def _upload(segment: Segment, people: Sequence[Profile]) -> None:
    take_in(segment, *people)


def test_two_lists_at_once_both_count() -> None:
    people = [make_profile(number) for number in range(6)]
    segment = listed()
    works = [people[:4], people[2:]]
    run([partial(_upload, segment, work) for work in works])
    segment.refresh_from_db()
    assert members(segment) == {person.pk for person in people}
    assert segment.member_count == 6
    assert len(history(segment)) == 6
