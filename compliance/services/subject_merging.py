"""Merging two subjects who are one person, and undoing that: what it means for their consents.

Each subject keeps its ledger. The most restrictive of two standings wins: withdrawn before expired, expired before
given, given until earlier before given for longer; where the survivor has none, what the other decided counts. It
enters the survivor's ledger as a record that names the original. Undoing ends what was carried over, but for
withdrawals: nobody is written to again because two records were merged or parted.
"""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction

from compliance.models import ConsentAction, ConsentRecord, ConsentState, Subject
from compliance.services import consent, consent_carrying, subjects
from compliance.services.consent_carrying import UNDONE

Rank = tuple[int, float]


def merge(*, survivor_id: int, absorbed_id: int, reference: str, actor: str, now: datetime) -> int:
    """Let the survivor stand for the absorbed subject, and for all who were merged into that one before.

    `reference` names the merge in the evidence. Returns how many decisions were carried over.
    """
    with transaction.atomic():
        subjects.lock([survivor_id, absorbed_id])
        Subject.objects.filter(merged_into=absorbed_id).update(merged_into=survivor_id)
        Subject.objects.filter(pk=absorbed_id).update(merged_into=survivor_id)
        states = consent_carrying.states_of([survivor_id, absorbed_id])
        records = []
        for (subject_id, purpose_id, channel), theirs in states.items():
            own = states.get((survivor_id, purpose_id, channel))
            if subject_id == absorbed_id and _outweighs(theirs, own, now):
                records.append(_carried(theirs, own, survivor_id, reference, actor, now))
        consent.write_over(records=records, actor=actor, now=now)
        return len(records)


def undo(
    *, survivor_id: int, absorbed_id: int, others: Collection[int], merged_at: datetime, reference: str, actor: str,
    now: datetime,
) -> int:  # fmt: skip
    """Let the absorbed subject, and the `others` who had been merged into them before, be somebody else again.

    Of what was carried over to the survivor, a withdrawal stays; the rest ends, and the survivor's own consent, where
    that stood before, counts again. A withdrawal made for the survivor since they were merged counts for both. Returns
    how many records that took.
    """
    with transaction.atomic():
        subjects.lock([survivor_id, absorbed_id])
        Subject.objects.filter(pk__in=others).update(merged_into=absorbed_id)
        Subject.objects.filter(pk=absorbed_id).update(merged_into=None)
        parted = Subject.objects.filter(pk__in=[absorbed_id, *others])
        givers = {str(uid) for uid in parted.values_list("uid", flat=True)}
        states = consent_carrying.states_of([survivor_id, absorbed_id])
        records = [
            _restored(state, givers, reference, actor, now)
            for (subject_id, *_), state in states.items()
            if subject_id == survivor_id
            and consent_carrying.giver(state.record) in givers
            and state.action != ConsentAction.WITHDRAWN
        ]
        records += _withdrawals_of_both(states, survivor_id, absorbed_id, merged_at, reference, actor, now)
        consent.write_over(records=records, actor=actor, now=now)
        return len(records)


def _outweighs(theirs: ConsentState, own: ConsentState | None, now: datetime) -> bool:
    """Whether what counts for the absorbed subject shall count for the survivor."""
    if own is None:
        return theirs.action != ConsentAction.EXPIRED
    if theirs.action == own.action == ConsentAction.WITHDRAWN:
        return theirs.occurred_at > own.occurred_at
    return _rank(theirs, now) < _rank(own, now)


def _rank(state: ConsentState, now: datetime) -> Rank:
    """The most restrictive is the least."""
    if state.action == ConsentAction.WITHDRAWN:
        return 0, 0.0
    if state.action == ConsentAction.EXPIRED or (state.expires_at is not None and state.expires_at <= now):
        return 1, 0.0
    return 2, state.expires_at.timestamp() if state.expires_at else float("inf")


def _carried(
    theirs: ConsentState, own: ConsentState | None, survivor_id: int, reference: str, actor: str, now: datetime
) -> ConsentRecord:
    """A withdrawal counts from now on, so that nothing decided before the merge outlasts it."""
    expired = _rank(theirs, now)[0] == 1
    action = ConsentAction.EXPIRED.value if expired else theirs.action
    decided = max([theirs.occurred_at, *([own.occurred_at] if own else [])])
    record = consent_carrying.carried(
        theirs, subject_id=survivor_id, replaced=own, action=action, merge=reference,
        occurred_at=now if action == ConsentAction.WITHDRAWN else decided,
    )  # fmt: skip
    record.recorded_at, record.recorded_by = now, actor
    return record


def _restored(state: ConsentState, givers: set[str], reference: str, actor: str, now: datetime) -> ConsentRecord:
    """What takes the place of a consent that came from somebody else: the survivor's own before it, or none."""
    own = _own_before(state.record, givers)
    valid = own is not None and own.action == ConsentAction.GIVEN and (own.expires_at is None or own.expires_at > now)
    source = own if valid and own is not None else state.record
    record = consent_carrying.copy(
        source, subject_id=state.subject_id, source=UNDONE, occurred_at=state.occurred_at
    )  # fmt: skip
    record.action = ConsentAction.GIVEN if valid else ConsentAction.EXPIRED
    record.expires_at = record.expires_at if valid else None
    record.evidence = {"record": str(source.uid), "undone_merge": reference}
    record.recorded_at, record.recorded_by = now, actor
    return record


def _own_before(record: ConsentRecord, givers: set[str]) -> ConsentRecord | None:
    """The newest record that had counted for the survivor and did not come from these people."""
    found: ConsentRecord | None = record
    while found is not None and consent_carrying.giver(found) in givers:
        replaced = found.evidence[consent_carrying.CARRIED]["replaces"]
        found = ConsentRecord.objects.filter(uid=replaced).first() if replaced else None
    return found


def _withdrawals_of_both(
    states: dict[consent_carrying.Place, ConsentState], survivor_id: int, absorbed_id: int, merged_at: datetime,
    reference: str, actor: str, now: datetime,
) -> list[ConsentRecord]:  # fmt: skip
    """Withdrawals recorded for the survivor while nobody could tell the two apart, for the one who was absorbed."""
    records = []
    for (subject_id, purpose_id, channel), theirs in states.items():
        own = states.get((survivor_id, purpose_id, channel))
        if (
            subject_id == absorbed_id
            and theirs.action == ConsentAction.GIVEN
            and own is not None
            and own.action == ConsentAction.WITHDRAWN
            and own.occurred_at >= merged_at
            and not consent_carrying.giver(own.record)
        ):
            record = consent_carrying.carried(
                own, subject_id=absorbed_id, replaced=theirs, action=ConsentAction.WITHDRAWN, merge=reference,
                occurred_at=max(own.occurred_at, theirs.occurred_at),
            )  # fmt: skip
            record.recorded_at, record.recorded_by = now, actor
            records.append(record)
    return records
