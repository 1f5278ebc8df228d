"""Recording what people decided. The ledger keeps every decision; the state beside it is the newest one.

Newest means by the time the person decided, whatever order the records arrive in; of two decisions at one
instant the withdrawal counts. A time that lies ahead of ours counts as the moment we learned of it, so that no clock
that runs ahead outlasts a withdrawal made now. An expiry is no decision: it ends the consent it was written for, and
any later decision of the person counts, however late its record arrives. Only a decision of the person's own
(`FRESH_METHODS`) undoes their earlier withdrawal or unsubscribing: a yes that an import or a partner reports is kept in
the ledger, but revives nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from compliance.channels import Channel
from compliance.models import (
    ConsentAction,
    ConsentMethod,
    ConsentRecord,
    ConsentState,
    Notice,
    Purpose,
)
from compliance.services import audit, consent_carrying, consent_rows, propagation, subjects, suppression

CLOCK_TOLERANCE = timedelta(minutes=5)
FRESH_METHODS = frozenset({ConsentMethod.FORM, ConsentMethod.DOUBLE_OPT_IN})
BATCH = 5_000
SOURCE_LENGTH = 120
SET_STATES = """
    INSERT INTO compliance_consentstate (subject_id, purpose_id, channel, action, record_id, occurred_at, expires_at)
    SELECT subject_id, purpose_id, channel, action, id, least(occurred_at, recorded_at), expires_at
    FROM compliance_consentrecord WHERE id = ANY(%s)
    ON CONFLICT (subject_id, purpose_id, channel) DO UPDATE SET
        action = excluded.action, record_id = excluded.record_id,
        occurred_at = excluded.occurred_at, expires_at = excluded.expires_at
"""

# A yes at second hand counts only if the person's own last word before it, a yes of theirs or a no, was not a no. The
# last condition of the update: a no that arrives late may take the ground from a state that others reported.
UPDATE_STATES = """
    WITH concerned AS (
        SELECT DISTINCT subject_id, purpose_id, channel FROM compliance_consentrecord WHERE id = ANY(%(records)s)
    ), counting AS (
        SELECT record.*, least(occurred_at, recorded_at) AS counted_at
        FROM compliance_consentrecord record JOIN concerned USING (subject_id, purpose_id, channel)
        WHERE action <> 'expired' AND (action <> 'given' OR method = ANY(%(fresh)s) OR 'withdrawn' IS DISTINCT FROM (
            SELECT word.action FROM compliance_consentrecord word
            WHERE word.subject_id = record.subject_id AND word.purpose_id = record.purpose_id
              AND word.channel = record.channel
              AND (word.action = 'withdrawn' OR word.action = 'given' AND word.method = ANY(%(fresh)s))
              AND least(word.occurred_at, word.recorded_at) <= least(record.occurred_at, record.recorded_at)
            ORDER BY least(word.occurred_at, word.recorded_at) DESC, (word.action = 'given') LIMIT 1
        ))
    )
    INSERT INTO compliance_consentstate AS state
        (subject_id, purpose_id, channel, action, record_id, occurred_at, expires_at)
    SELECT DISTINCT ON (subject_id, purpose_id, channel)
        subject_id, purpose_id, channel, action, id, counted_at, expires_at
    FROM counting
    ORDER BY subject_id, purpose_id, channel, counted_at DESC, (action = 'given'), id DESC
    ON CONFLICT (subject_id, purpose_id, channel) DO UPDATE SET
        action = excluded.action, record_id = excluded.record_id,
        occurred_at = excluded.occurred_at, expires_at = excluded.expires_at
    WHERE excluded.occurred_at > state.occurred_at
       OR (excluded.occurred_at = state.occurred_at AND (excluded.action <> 'given' OR state.action = 'given'))
       OR (state.action = 'given' AND state.record_id NOT IN (SELECT id FROM counting))
"""


class ConsentError(ValueError):
    """The decision cannot be recorded; `field` and `reason` say why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True)
class Decision:
    """What one person decided for one purpose and channel, and how it came to us."""

    subject_id: int
    purpose_id: int
    channel: str
    action: str
    method: str
    notice_id: int | None
    source: str
    occurred_at: datetime
    expires_at: datetime | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)


def record(*, decision: Decision, actor: str, now: datetime, digest: bytes | None = None) -> ConsentRecord:
    """Record one decision. With the address `digest` given, a fresh consent lifts the person's own unsubscribing.

    Raises `ConsentError` naming the field.
    """
    with transaction.atomic():
        stored = record_many(decisions=[decision], actor=actor, now=now)[0]
        fresh = decision.action == ConsentAction.GIVEN and decision.method in FRESH_METHODS
        if digest is not None and fresh and _is_current(stored):
            suppression.lift_unsubscribed(
                digest=digest, channel=decision.channel, purpose_id=decision.purpose_id, actor=actor, now=now,
                consented_at=decision.occurred_at,
            )  # fmt: skip
        return stored


def record_many(*, decisions: Sequence[Decision], actor: str, now: datetime) -> list[ConsentRecord]:
    """Record many decisions in one transaction, all or none. Raises `ConsentError` naming the first bad field.

    A decision of somebody who was merged into another counts for the survivor too, in a record of its own.
    """
    notices = dict(Notice.objects.values_list("pk", "purpose_id"))
    purposes = set(Purpose.objects.values_list("pk", flat=True))
    for decision in decisions:
        if decision.purpose_id not in purposes:
            raise ConsentError("purpose", "there is no such purpose")
        _check(decision, notices, now)
    with transaction.atomic():
        wanted = {decision.subject_id for decision in decisions}
        survivors = subjects.lock(wanted)
        if wanted - survivors.keys():
            raise ConsentError("subject", "there is no such person")
        records = [_record(decision, actor, now) for decision in decisions]
        write(records=[*records, *consent_carrying.for_survivors(records, survivors)], actor=actor, now=now)
        return records


def write(*, records: Sequence[ConsentRecord], actor: str, now: datetime) -> None:
    """Append records to the ledger, each with its audit leaf, have downstream systems told, and bring the states up to
    date. In the caller's transaction, who has locked and checked."""
    ConsentRecord.objects.bulk_create(records, batch_size=BATCH)
    _update_states([stored.pk for stored in records])
    _tell(records, actor, now)


def write_over(*, records: Sequence[ConsentRecord], actor: str, now: datetime) -> None:
    """As `write`, but each record becomes the state, whatever there is: what a merge or its undoing brings does so."""
    if not records:
        return
    ConsentRecord.objects.bulk_create(records, batch_size=BATCH)
    with connection.cursor() as cursor:
        cursor.execute(SET_STATES, [[stored.pk for stored in records]])
    _tell(records, actor, now)


def withdraw(
    *, subject_id: int, purpose_id: int, channel: str, method: str, source: str, actor: str, now: datetime,
    evidence: Mapping[str, Any] | None = None,
) -> ConsentRecord:  # fmt: skip
    """Record that a person takes their consent back, from now on (GDPR 7(3), PIPL 15)."""
    decision = Decision(
        subject_id=subject_id,
        purpose_id=purpose_id,
        channel=channel,
        action=ConsentAction.WITHDRAWN,
        method=method,
        notice_id=None,
        source=source,
        occurred_at=now,
        evidence=evidence or {},
    )
    return record(decision=decision, actor=actor, now=now)


def expire_due(*, now: datetime, actor: str, limit: int = 10_000) -> int:
    """Write a record for consents whose time is over. Returns how many; call again until it is 0."""
    due = ConsentState.objects.filter(action=ConsentAction.GIVEN, expires_at__lte=now)
    with transaction.atomic():
        wanted = sorted(set(due.order_by("expires_at").values_list("subject_id", flat=True)[:limit]))
        subjects.lock(wanted)
        # Asked again now that nobody else can decide for these people: some may have renewed meanwhile.
        states = list(due.filter(subject__in=wanted).select_related("record").order_by("pk"))
        records = ConsentRecord.objects.bulk_create(
            [_record(_expiry(state), actor, now) for state in states], batch_size=BATCH
        )
        _end_states([stored.pk for stored in records])
        _tell(records, actor, now)
        return len(records)


def _tell(records: Sequence[ConsentRecord], actor: str, now: datetime) -> None:
    audit.append_many(entries=_entries(records, actor), now=now)
    propagation.enqueue(records=records, now=now)


def _expiry(state: ConsentState) -> Decision:
    return Decision(
        subject_id=state.subject_id,
        purpose_id=state.purpose_id,
        channel=state.channel,
        action=ConsentAction.EXPIRED,
        method=ConsentMethod.CLOCK,
        notice_id=None,
        source="expiry of the consent",
        occurred_at=state.expires_at or state.occurred_at,
        evidence={"consent": str(state.record.uid)},
    )


def _check(decision: Decision, notices: Mapping[int, int], now: datetime) -> None:
    if decision.channel not in Channel.values:
        raise ConsentError("channel", f"is none of {', '.join(Channel.values)}")
    if decision.action not in ConsentAction.values:
        raise ConsentError("action", f"is none of {', '.join(ConsentAction.values)}")
    if decision.method not in ConsentMethod.values:
        raise ConsentError("method", f"is none of {', '.join(ConsentMethod.values)}")
    if not 0 < len(decision.source.strip()) <= SOURCE_LENGTH:
        raise ConsentError("source", f"say in at most {SOURCE_LENGTH} characters where the decision came from")
    if decision.action == ConsentAction.GIVEN and decision.notice_id is None:
        raise ConsentError("notice", "a consent must name the notice that was shown")
    if decision.notice_id is not None and notices.get(decision.notice_id) != decision.purpose_id:
        raise ConsentError("notice", "is not a notice of this purpose")
    if decision.occurred_at > now + CLOCK_TOLERANCE:
        raise ConsentError("occurred_at", "lies in the future")
    if decision.expires_at is not None and decision.expires_at <= decision.occurred_at:
        raise ConsentError("expires_at", "is not after the decision")


def _record(decision: Decision, actor: str, now: datetime) -> ConsentRecord:
    return ConsentRecord(
        subject_id=decision.subject_id,
        purpose_id=decision.purpose_id,
        channel=decision.channel,
        action=decision.action,
        method=decision.method,
        notice_id=decision.notice_id,
        source=decision.source,
        evidence=dict(decision.evidence),
        occurred_at=decision.occurred_at,
        expires_at=decision.expires_at,
        recorded_at=now,
        recorded_by=actor,
    )


def _update_states(record_ids: list[int]) -> None:
    """Make the newest decision that counts the state, for everybody whom these records concern."""
    with connection.cursor() as cursor:
        cursor.execute(UPDATE_STATES, {"records": record_ids, "fresh": sorted(FRESH_METHODS)})


def _end_states(record_ids: list[int]) -> None:
    """Let these expiries end the states they were written for. What the person decided, and when, stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE compliance_consentstate state SET action = record.action, record_id = record.id
            FROM compliance_consentrecord record
            WHERE record.id = ANY(%s) AND state.subject_id = record.subject_id
              AND state.purpose_id = record.purpose_id AND state.channel = record.channel
            """,
            [record_ids],
        )


def _is_current(stored: ConsentRecord) -> bool:
    return ConsentState.objects.filter(record=stored).exists()


def _entries(records: Iterable[ConsentRecord], actor: str) -> list[audit.Entry]:
    """One leaf for each record as it is stored now, in their order."""
    stored = ConsentRecord.objects.select_related("subject", "purpose", "notice").in_bulk([row.pk for row in records])
    return [_entry(stored[row.pk], actor) for row in records]


def _entry(stored: ConsentRecord, actor: str) -> audit.Entry:
    return audit.Entry(
        action=f"consent.{stored.action}",
        actor=actor,
        object_type="consent",
        object_id=str(stored.uid),
        details={
            "subject": stored.subject_id,
            "purpose": stored.purpose_id,
            "channel": stored.channel,
            "method": stored.method,
            "notice": stored.notice_id,
            "source": stored.source,
            "occurred_at": stored.occurred_at.isoformat(),
            "expires_at": stored.expires_at.isoformat() if stored.expires_at else None,
            "record_sha256": consent_rows.digest(stored),
        },
    )
