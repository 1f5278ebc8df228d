"""However many beats run, one ticks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import connection
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from config.beat import STANDBY_SECONDS, BeatLock, SingleBeatScheduler
from config.celery import app

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def locks() -> Iterator[tuple[BeatLock, BeatLock]]:
    pair = BeatLock(), BeatLock()
    yield pair
    for lock in pair:
        lock.close()


@pytest.fixture(autouse=True)
def _everything_is_due() -> None:
    """Write the schedule as a beat would, long ago."""
    beat = SingleBeatScheduler(app=app)
    beat.tick()
    beat.close()
    PeriodicTask.objects.update(last_run_at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SingleBeatScheduler, SingleBeatScheduler]]:
    """Two schedulers that note what they would send instead of sending it."""

    def note(self: Any, entry: Any, producer: Any = None) -> None:
        self.sent = [*getattr(self, "sent", []), entry.name]

    monkeypatch.setattr(DatabaseScheduler, "apply_entry", note)
    pair = SingleBeatScheduler(app=app), SingleBeatScheduler(app=app)
    yield pair
    for beat in pair:
        beat.close()


def terminate(lock: BeatLock) -> None:
    """End the lock's connection from the server's side."""
    held = lock._connection
    assert held is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [held.info.backend_pid])


def test_one_of_two_holds_the_lock(locks: tuple[BeatLock, BeatLock]) -> None:
    first, second = locks
    assert first.acquire()
    assert not second.acquire()
    assert first.acquire()


def test_closing_hands_the_lock_over(locks: tuple[BeatLock, BeatLock]) -> None:
    first, second = locks
    first.acquire()
    first.close()
    assert second.acquire()
    assert not first.acquire()


def test_dead_connection_loses_the_lock_at_once(locks: tuple[BeatLock, BeatLock]) -> None:
    first, second = locks
    first.acquire()
    terminate(first)
    assert not first.acquire()
    assert second.acquire()
    assert not first.acquire()


def test_dead_connection_is_replaced(locks: tuple[BeatLock, BeatLock]) -> None:
    first, _ = locks
    first.acquire()
    terminate(first)
    assert [first.acquire(), first.acquire()] == [False, True]


def test_unreachable_database_means_stand_by(locks: tuple[BeatLock, BeatLock], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise psycopg.OperationalError("connection refused")

    monkeypatch.setattr(psycopg, "connect", refuse)
    assert not locks[0].acquire()


def test_only_the_holder_ticks(beats: tuple[SingleBeatScheduler, SingleBeatScheduler]) -> None:
    first, second = beats
    for _ in range(20):
        first.tick()
        assert second.tick() == STANDBY_SECONDS
    assert "campaigns: launch and dispatch what is due" in first.sent
    assert not hasattr(second, "sent")


def test_beat_on_stand_by_writes_nothing(beats: tuple[SingleBeatScheduler, SingleBeatScheduler]) -> None:
    first, second = beats
    first.tick()
    PeriodicTask.objects.update(total_run_count=7)
    second.tick()
    second.sync()
    assert set(PeriodicTask.objects.values_list("total_run_count", flat=True)) == {7}


def test_stand_by_is_said_once(
    beats: tuple[SingleBeatScheduler, SingleBeatScheduler], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = beats
    first.tick()
    for _ in range(3):
        second.tick()
    assert caplog.text.count("standing by") == 1


def test_other_takes_over_with_a_fresh_schedule(
    beats: tuple[SingleBeatScheduler, SingleBeatScheduler],
) -> None:
    first, second = beats
    for _ in range(20):
        first.tick()
    assert second.tick() == STANDBY_SECONDS
    first.close()
    ran = PeriodicTask.objects.get(name="compliance: seal the audit log").last_run_at
    second.tick()
    assert ran is not None
    assert second.schedule["compliance: seal the audit log"].last_run_at == ran
    assert first.tick() == STANDBY_SECONDS
