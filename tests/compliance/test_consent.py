"""The consent ledger, the state beside it, and what they allow."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from compliance import addresses
from compliance.channels import Channel
from compliance.models import (
    AuditLeaf,
    ConsentAction,
    ConsentMethod,
    ConsentRecord,
    ConsentState,
    Notice,
    Subject,
    Suppression,
)
from compliance.selectors import gate
from compliance.services import audit, consent, suppression, unsubscribe
from tests.factories.compliance import NoticeFactory, PurposeFactory, SubjectFactory

pytestmark = pytest.mark.django_db
DIGEST = addresses.digest("email", "someone@example.com")
Make = Callable[..., consent.Decision]


@pytest.fixture
def notice() -> Notice:
    return NoticeFactory()


@pytest.fixture
def subject() -> Subject:
    return SubjectFactory()


@pytest.fixture
def make(notice: Notice, subject: Subject, now: datetime) -> Make:
    def build(**changes: Any) -> consent.Decision:
        decision = consent.Decision(
            subject_id=subject.pk, purpose_id=notice.purpose_id, channel=Channel.EMAIL, action=ConsentAction.GIVEN,
            method=ConsentMethod.FORM, notice_id=notice.pk, source="sign-up form", occurred_at=now,
        )  # fmt: skip
        return replace(decision, **changes)

    return build


def reason(subject: Subject, purpose_id: int, now: datetime, digest: bytes = DIGEST) -> str:
    """What the gate says of one person."""
    from django.db.models import BinaryField, Value

    rows = Subject.objects.annotate(digest=Value(digest, output_field=BinaryField()))
    blocked = gate.blocking_reason(subject="pk", digest="digest", purpose_id=purpose_id, channel=Channel.EMAIL, now=now)
    return rows.annotate(reason=blocked).get(pk=subject.pk).reason


def test_no_record_means_no(subject: Subject, notice: Notice, now: datetime) -> None:
    assert reason(subject, notice.purpose_id, now) == "no_consent"


def test_given_consent_opens_the_gate_for_its_purpose_and_channel_only(
    make: Make, subject: Subject, now: datetime
) -> None:
    other = PurposeFactory(key="research")
    consent.record(decision=make(), actor="test", now=now)
    assert reason(subject, make().purpose_id, now) == ""
    assert reason(subject, other.pk, now) == "no_consent"


def test_withdrawal_closes_the_gate_and_both_decisions_stay(make: Make, subject: Subject, now: datetime) -> None:
    consent.record(decision=make(), actor="test", now=now)
    consent.withdraw(
        subject_id=subject.pk, purpose_id=make().purpose_id, channel=Channel.EMAIL, method=ConsentMethod.STAFF,
        source="call", actor="test", now=now + timedelta(hours=1),
    )  # fmt: skip
    assert reason(subject, make().purpose_id, now) == "consent_withdrawn"
    assert [record.action for record in ConsentRecord.objects.order_by("id")] == ["given", "withdrawn"]


def test_a_record_that_arrives_late_does_not_undo_a_newer_decision(make: Make, subject: Subject, now: datetime) -> None:
    withdrawn = make(action=ConsentAction.WITHDRAWN, notice_id=None, occurred_at=now)
    consent.record(decision=withdrawn, actor="test", now=now)
    consent.record(decision=make(occurred_at=now - timedelta(days=1)), actor="test", now=now)
    assert reason(subject, make().purpose_id, now) == "consent_withdrawn"
    assert ConsentRecord.objects.count() == 2


@pytest.mark.parametrize("first", [ConsentAction.GIVEN, ConsentAction.WITHDRAWN])
@pytest.mark.parametrize("together", [True, False])
def test_of_two_decisions_at_one_instant_the_withdrawal_counts(
    make: Make, subject: Subject, now: datetime, first: str, *, together: bool
) -> None:
    pair = [make(), make(action=ConsentAction.WITHDRAWN, notice_id=None)]
    pair.sort(key=lambda decision: decision.action != first)
    for decisions in [pair] if together else [[pair[0]], [pair[1]]]:
        consent.record_many(decisions=decisions, actor="test", now=now)
    assert reason(subject, make().purpose_id, now) == "consent_withdrawn"


def test_expired_consent_closes_the_gate_at_once_and_is_written_down_later(
    make: Make, subject: Subject, now: datetime
) -> None:
    consent.record(decision=make(expires_at=now + timedelta(days=1)), actor="test", now=now)
    later = now + timedelta(days=1)
    assert reason(subject, make().purpose_id, now) == ""
    assert reason(subject, make().purpose_id, later) == "consent_expired"
    assert consent.expire_due(now=later, actor="system") == 1
    assert consent.expire_due(now=later, actor="system") == 0
    assert ConsentState.objects.get().action == ConsentAction.EXPIRED
    assert reason(subject, make().purpose_id, later) == "consent_expired"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"notice_id": None}, "notice"),
        ({"channel": "pigeon"}, "channel"),
        ({"action": "maybe"}, "action"),
        ({"method": "guess"}, "method"),
        ({"source": " "}, "source"),
        ({"source": "x" * 121}, "source"),
        ({"subject_id": 10**12}, "subject"),
        ({"purpose_id": 10**9}, "purpose"),
    ],
)
def test_bad_decisions_are_refused_by_field(make: Make, now: datetime, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(consent.ConsentError) as error:
        consent.record(decision=make(**changes), actor="test", now=now)
    assert error.value.field == field
    assert not ConsentRecord.objects.exists()


def test_future_decisions_and_past_expiries_are_refused(make: Make, now: datetime) -> None:
    for changes, field in (
        ({"occurred_at": now + timedelta(minutes=6)}, "occurred_at"),
        ({"expires_at": now}, "expires_at"),
    ):
        with pytest.raises(consent.ConsentError) as error:
            consent.record(decision=make(**changes), actor="test", now=now)
        assert error.value.field == field


def test_a_notice_of_another_purpose_is_refused(make: Make, now: datetime) -> None:
    foreign = NoticeFactory(purpose=PurposeFactory(key="research"))
    with pytest.raises(consent.ConsentError, match="notice"):
        consent.record(decision=make(notice_id=foreign.pk), actor="test", now=now)


def test_the_database_itself_refuses_consent_without_notice(make: Make, now: datetime) -> None:
    record = ConsentRecord(
        subject_id=make().subject_id, purpose_id=make().purpose_id, channel="email", action="given", method="form",
        source="x", occurred_at=now, recorded_at=now, recorded_by="test",
    )  # fmt: skip
    with pytest.raises(IntegrityError, match="consent_given_names_notice"), transaction.atomic():
        record.save()


@pytest.mark.parametrize("model", [ConsentRecord, Notice, AuditLeaf])
def test_ledgers_are_append_only_for_raw_sql_too(make: Make, now: datetime, model: Any) -> None:
    consent.record(decision=make(), actor="test", now=now)
    table = model._meta.db_table
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET id = id", f"TRUNCATE {table} CASCADE"):
        with (
            pytest.raises(DatabaseError, match=r"(?i)cannot (update|delete|truncate)|truncated"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)


def test_a_failed_audit_leaf_undoes_the_decision(make: Make, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(audit.rfc8785, "dumps", broken)
    with pytest.raises(OSError, match="disk full"):
        consent.record(decision=make(), actor="test", now=now)
    assert not ConsentRecord.objects.exists()
    assert not ConsentState.objects.exists()


def test_suppression_outweighs_consent_whatever_its_width(make: Make, subject: Subject, now: datetime) -> None:
    consent.record(decision=make(), actor="test", now=now)
    purpose_id = make().purpose_id
    for channel, purpose in (("", None), ("email", None), ("email", purpose_id), ("", purpose_id)):
        added = suppression.add(
            digest=DIGEST, channel=channel, purpose_id=purpose, reason="complaint", source="x", actor="test", now=now
        )
        assert reason(subject, purpose_id, now) == "suppressed"
        suppression.lift(suppression_id=added.pk, note="wrong address", actor="test", now=now)
        assert reason(subject, purpose_id, now) == ""


def test_suppression_of_another_channel_address_or_purpose_does_not_block(
    make: Make, subject: Subject, now: datetime
) -> None:
    consent.record(decision=make(), actor="test", now=now)
    other = PurposeFactory(key="research")
    for digest, channel, purpose in ((DIGEST, "sms", None), (b"x" * 32, "", None), (DIGEST, "", other.pk)):
        suppression.add(
            digest=digest, channel=channel, purpose_id=purpose, reason="staff", source="x", actor="test", now=now
        )
    assert reason(subject, make().purpose_id, now) == ""


@pytest.mark.parametrize(
    ("method", "revived"),
    [
        (ConsentMethod.FORM, True),
        (ConsentMethod.DOUBLE_OPT_IN, True),
        (ConsentMethod.IMPORT, False),
        (ConsentMethod.API, False),
        (ConsentMethod.STAFF, False),
    ],
)
def test_only_a_decision_of_the_persons_own_revives_an_unsubscribed_address(
    make: Make, subject: Subject, now: datetime, method: str, *, revived: bool
) -> None:
    purpose_id = make().purpose_id
    consent.record(decision=make(), actor="test", now=now)
    unsubscribe.by_address(
        digest=DIGEST, subject_id=subject.pk, purpose_id=purpose_id, channel="email", method=ConsentMethod.LINK,
        source="link", actor="test", now=now + timedelta(hours=1),
    )  # fmt: skip
    later = now + timedelta(hours=2)
    consent.record(decision=make(method=method, occurred_at=later), actor="test", now=later, digest=DIGEST)
    assert reason(subject, purpose_id, later) == ("" if revived else "suppressed")


def test_a_fresh_consent_to_one_purpose_revives_no_other_after_unsubscribing_from_everything(
    make: Make, subject: Subject, now: datetime
) -> None:
    purpose_id, other = make().purpose_id, NoticeFactory(purpose=PurposeFactory(key="surveys"))
    unsubscribe.by_address(
        digest=DIGEST, subject_id=subject.pk, purpose_id=None, channel="email", method=ConsentMethod.API, source="shop",
        actor="test", now=now,
    )  # fmt: skip
    later = now + timedelta(hours=1)
    surveys = make(purpose_id=other.purpose_id, notice_id=other.pk, occurred_at=later)
    consent.record(decision=replace(surveys, method=ConsentMethod.API), actor="test", now=later, digest=DIGEST)
    latest = now + timedelta(hours=2)
    consent.record(decision=make(occurred_at=latest), actor="test", now=latest, digest=DIGEST)
    assert reason(subject, purpose_id, latest) == ""
    assert reason(subject, other.purpose_id, latest) == "suppressed"
    consent.record(decision=surveys, actor="test", now=latest, digest=DIGEST)
    assert reason(subject, other.purpose_id, latest) == ""


def test_fresh_consent_does_not_lift_a_bounce(make: Make, subject: Subject, now: datetime) -> None:
    suppression.add(
        digest=DIGEST, channel="email", purpose_id=make().purpose_id, reason="hard_bounce", source="x", actor="test",
        now=now,
    )  # fmt: skip
    consent.record(decision=make(), actor="test", now=now, digest=DIGEST)
    assert reason(subject, make().purpose_id, now) == "suppressed"


def test_unsubscribing_twice_changes_nothing_more(make: Make, subject: Subject, now: datetime) -> None:
    consent.record(decision=make(), actor="test", now=now)
    for _ in range(2):
        unsubscribe.by_address(
            digest=DIGEST, subject_id=subject.pk, purpose_id=make().purpose_id, channel="email",
            method=ConsentMethod.LINK, source="link", actor="test", now=now + timedelta(hours=1),
        )  # fmt: skip
    assert ConsentRecord.objects.filter(action="withdrawn").count() == 1
    assert Suppression.objects.count() == 1


def test_a_consent_from_before_the_last_unsubscribing_revives_nothing_however_late_it_arrives(
    make: Make, subject: Subject, now: datetime
) -> None:
    purpose_id = make().purpose_id
    for hours in (1, 3):
        unsubscribe.by_address(
            digest=DIGEST, subject_id=subject.pk, purpose_id=purpose_id, channel="email", method=ConsentMethod.LINK,
            source="link", actor="test", now=now + timedelta(hours=hours),
        )  # fmt: skip
    between, later = now + timedelta(hours=2), now + timedelta(hours=4)
    consent.record(decision=make(occurred_at=between), actor="test", now=later, digest=DIGEST)
    assert ConsentState.objects.get(subject=subject).action == "withdrawn"
    assert reason(subject, purpose_id, later) == "suppressed"


def test_an_unknown_address_can_unsubscribe(notice: Notice, now: datetime) -> None:
    unsubscribe.by_address(
        digest=DIGEST, subject_id=None, purpose_id=None, channel="email", method=ConsentMethod.API, source="shop",
        actor="api:shop", now=now,
    )  # fmt: skip
    assert bytes(Suppression.objects.get().digest) == DIGEST


def test_lifting_needs_a_note_and_works_once(now: datetime) -> None:
    added = suppression.add(
        digest=DIGEST, channel="", purpose_id=None, reason="staff", source="x", actor="test", now=now
    )
    with pytest.raises(suppression.SuppressionError, match="note"):
        suppression.lift(suppression_id=added.pk, note=" ", actor="test", now=now)
    suppression.lift(suppression_id=added.pk, note="typing error", actor="test", now=now)
    with pytest.raises(suppression.SuppressionError, match="before"):
        suppression.lift(suppression_id=added.pk, note="typing error", actor="test", now=now)
    assert list(AuditLeaf.objects.order_by("id").values_list("action", flat=True)) == [
        "suppression.added", "suppression.lifted",
    ]  # fmt: skip


def test_an_erased_subject_has_no_key(subject: Subject, now: datetime) -> None:
    with pytest.raises(IntegrityError, match="subject_erased_iff_key_destroyed"), transaction.atomic():
        Subject.objects.filter(pk=subject.pk).update(erased_at=now)
