"""Several writers at once: real threads, committed transactions."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from compliance import addresses, tokens
from compliance.models import AuditLeaf, Checkpoint, ConsentRecord, ConsentState, SealedLeaf, Suppression
from compliance.selectors import audit as selectors
from compliance.services import audit, consent, unsubscribe
from tests.factories.compliance import NoticeFactory, SubjectFactory

pytestmark = pytest.mark.django_db(transaction=True)
DIGEST = addresses.digest("email", "someone@example.com")
PATIENCE = 20


def at_once(acts: list[Callable[[], object]]) -> None:
    """Run all of them, each in a thread and with a connection of its own, as nearly together as can be."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        try:
            connection.ensure_connection()
            start.wait(PATIENCE)
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        for done in [pool.submit(run, act) for act in acts]:
            done.result(PATIENCE)


def test_of_decisions_at_once_the_ledger_keeps_all_and_the_state_is_the_newest(now: datetime) -> None:
    notice, subject = NoticeFactory(), SubjectFactory()

    def decide(minute: int) -> Callable[[], object]:
        decision = consent.Decision(
            subject_id=subject.pk, purpose_id=notice.purpose_id, channel="email",
            action="withdrawn" if minute % 2 else "given", method="form", notice_id=notice.pk, source="form",
            occurred_at=now - timedelta(minutes=minute),
        )  # fmt: skip
        return lambda: consent.record(decision=decision, actor="test", now=now)

    at_once([decide(minute) for minute in (5, 2, 7, 1, 4, 3, 6, 8)])
    assert ConsentRecord.objects.count() == 8
    state = ConsentState.objects.get()
    assert (state.action, state.occurred_at) == ("withdrawn", now - timedelta(minutes=1))


def test_batches_about_the_same_people_in_opposite_order_do_not_block_each_other_for_good(now: datetime) -> None:
    notice, people = NoticeFactory(), SubjectFactory.create_batch(40)
    decisions = [
        consent.Decision(
            subject_id=person.pk, purpose_id=notice.purpose_id, channel="email", action="given", method="import",
            notice_id=notice.pk, source="import", occurred_at=now,
        )
        for person in people
    ]  # fmt: skip
    at_once(
        [
            lambda order=order: consent.record_many(decisions=order, actor="test", now=now)  # type: ignore[misc]
            for order in (decisions, decisions[::-1]) * 2
        ]
    )
    assert (ConsentRecord.objects.count(), ConsentState.objects.count()) == (160, 40)


def test_clicks_at_once_withdraw_once(now: datetime) -> None:
    claim = tokens.Claim(SubjectFactory().pk, NoticeFactory().purpose_id, "email", DIGEST, reference=1)
    token = tokens.issue(claim)
    at_once([lambda: unsubscribe.by_token(token=token, method="one_click", now=now)] * 6)
    assert (ConsentRecord.objects.count(), Suppression.objects.count()) == (1, 1)
    assert AuditLeaf.objects.count() == 2


def test_an_expiry_at_the_moment_of_renewal_does_not_undo_it(now: datetime) -> None:
    """The renewal commits after the expiry run has found the old consent due, before it writes."""
    notice, subject = NoticeFactory(), SubjectFactory()
    old = consent.Decision(
        subject_id=subject.pk, purpose_id=notice.purpose_id, channel="email", action="given", method="form",
        notice_id=notice.pk, source="form", occurred_at=now, expires_at=now + timedelta(days=1),
    )  # fmt: skip
    consent.record(decision=old, actor="test", now=now)
    later = now + timedelta(days=1)
    renewed = consent.Decision(
        subject_id=subject.pk, purpose_id=notice.purpose_id, channel="email", action="given", method="form",
        notice_id=notice.pk, source="form", occurred_at=later - timedelta(minutes=1),
    )  # fmt: skip
    expiring = threading.Thread(target=_expire, args=[later])
    with transaction.atomic():
        consent.record(decision=renewed, actor="test", now=later)
        expiring.start()
        _wait_until_somebody_waits_for_a_lock()
    expiring.join(PATIENCE)
    assert not expiring.is_alive()
    assert ConsentState.objects.get().action == "given"
    assert not ConsentRecord.objects.filter(action="expired").exists()


def test_a_leaf_whose_transaction_commits_late_comes_into_a_later_checkpoint(now: datetime) -> None:
    written, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            write(now, "slow")
            written.set()
            may_commit.wait(PATIENCE)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(PATIENCE)
    write(now, "quick")
    audit.seal(now=now)
    assert [leaf.object_id for leaf in AuditLeaf.objects.filter(sealed__isnull=False)] == ["quick"]
    may_commit.set()
    thread.join(PATIENCE)
    audit.seal(now=now)
    places = SealedLeaf.objects.order_by("index").values_list("index", "leaf__object_id")
    assert list(places) == [(0, "quick"), (1, "slow")]
    assert selectors.verify().ok


def test_32_writers_and_sealing_at_once_leave_a_total_order_without_gaps(now: datetime) -> None:
    def writer(number: int) -> Callable[[], object]:
        return lambda: [write(now, f"{number}.{count}") for count in range(5)]

    seals: list[Callable[[], object]] = [lambda: [audit.seal(now=now) for _ in range(5)] for _ in range(2)]
    at_once([writer(number) for number in range(32)] + seals)
    audit.seal(now=now)
    report = selectors.verify()
    assert (report.first_problem, report.leaves, report.sealed) == ("", 160, 160)
    assert Checkpoint.objects.latest("id").tree_size == 160


def test_sealing_while_the_log_is_verified_is_no_problem(now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    write(now, "before")
    audit.seal(now=now)
    check = selectors._check_chain

    def check_while_sealing(checkpoints: list[Checkpoint]) -> None:
        check(checkpoints)
        write(now, "meanwhile")
        audit.seal(now=now)

    monkeypatch.setattr(selectors, "_check_chain", check_while_sealing)
    assert selectors.verify().first_problem == ""


def write(now: datetime, name: str) -> None:
    audit.append(action="thing.done", actor="test", object_type="thing", object_id=name, details={}, now=now)


def _expire(now: datetime) -> None:
    try:
        consent.expire_due(now=now, actor="system")
    finally:
        connection.close()


def _wait_until_somebody_waits_for_a_lock() -> None:
    """Poll with a deadline until another session of this database is blocked."""
    deadline = threading.Event()
    timer = threading.Timer(PATIENCE, deadline.set)
    timer.start()
    try:
        with connection.cursor() as cursor:
            while not deadline.is_set():
                cursor.execute(
                    "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid() AND pid IN"
                    " (SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
                )
                if cursor.fetchone() != (0,):
                    return
    finally:
        timer.cancel()
    raise AssertionError("nobody waits")
