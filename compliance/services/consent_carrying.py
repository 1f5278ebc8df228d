"""Copies of consent records that pass from one record of a person to another. Nothing is stored here.

A copy says in its evidence, under `carried_from`, which record it comes from and whose it is, and which record of the
receiver it took the place of (null for none).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from compliance.models import ConsentAction, ConsentMethod, ConsentRecord, ConsentState, Subject
from compliance.uuid7 import uuid7

CARRIED = "carried_from"
MERGE = "merge of two records of a person"
UNDONE = "undoing of a merge"

Place = tuple[int, int, str]
"""Subject, purpose and channel."""


def for_survivors(records: Iterable[ConsentRecord], survivors: Mapping[int, int]) -> list[ConsentRecord]:
    """The same decisions for those into whom their subjects were merged; `survivors` are given for every subject.

    An expiry is left out: it ends one consent and is no decision.
    """
    theirs = [
        record
        for record in records
        if survivors[record.subject_id] != record.subject_id and record.action != ConsentAction.EXPIRED
    ]
    if not theirs:
        return []
    uids = dict(Subject.objects.filter(pk__in={record.subject_id for record in theirs}).values_list("pk", "uid"))
    states = states_of({survivors[record.subject_id] for record in theirs})
    copies = []
    for record in theirs:
        place = (survivors[record.subject_id], record.purpose_id, record.channel)
        copied = copy(record, subject_id=place[0], source=record.source, occurred_at=record.occurred_at)
        copied.method = record.method
        copied.evidence = {**record.evidence, **_evidence(record, str(uids[record.subject_id]), states.get(place))}
        copies.append(copied)
    return copies


def states_of(subject_ids: Iterable[int]) -> dict[Place, ConsentState]:
    """What counts now for these people, with the records, by place."""
    states = ConsentState.objects.filter(subject__in=subject_ids).select_related("record__subject").order_by("pk")
    return {(state.subject_id, state.purpose_id, state.channel): state for state in states}


def carried(
    state: ConsentState, *, subject_id: int, replaced: ConsentState | None, action: str, occurred_at: datetime,
    merge: str,
) -> ConsentRecord:  # fmt: skip
    """What counts for one person, as a record for another into whom they are merged."""
    made = copy(state.record, subject_id=subject_id, source=MERGE, occurred_at=occurred_at)
    made.action = action
    made.expires_at = state.expires_at if action == ConsentAction.GIVEN else None
    made.evidence = {**_evidence(state.record, str(state.record.subject.uid), replaced), "merge": merge}
    return made


def copy(record: ConsentRecord, *, subject_id: int, source: str, occurred_at: datetime) -> ConsentRecord:
    """A record of the same decision for another person, by the method `merge`, not stored and without evidence."""
    return ConsentRecord(
        uid=uuid7(), subject_id=subject_id, purpose_id=record.purpose_id, channel=record.channel, action=record.action,
        method=ConsentMethod.MERGE, notice_id=record.notice_id, source=source, occurred_at=occurred_at,
        expires_at=record.expires_at, recorded_at=record.recorded_at, recorded_by=record.recorded_by,
    )  # fmt: skip


def giver(record: ConsentRecord) -> str:
    """The public id of the subject whose record was carried over into this one; '' when it was not carried over."""
    return str(record.evidence.get(CARRIED, {}).get("subject", ""))


def _evidence(record: ConsentRecord, subject: str, replaced: ConsentState | None) -> dict[str, object]:
    replaces = str(replaced.record.uid) if replaced else None
    return {CARRIED: {"record": str(record.uid), "subject": subject, "replaces": replaces}}
