"""Claiming deliveries a handful at a time, and recording what became of them. Used by `campaigns.services.dispatch`.

Why groups: whatever is claimed when a worker dies has to be called unknown, and a withdrawal no longer stops what is
claimed. A group is what the channel takes in about half a second, at most 50 messages, or, where it takes many
messages in one call, such a call. Between two groups stands one
transaction, which records the outcomes of the last, renews the lease and claims the next, so that 50 messages cost one
commit and a kill leaves at most one group unknown. A transaction per message would halve the throughput; one per
batch would leave whole batches unknown.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F, QuerySet

from campaigns.models import Delivery, Run
from campaigns.reasons import ExclusionReason
from campaigns.selectors import audience, caps
from campaigns.services import lateness
from campaigns.services.batches import LEASE, ClaimedBatch
from campaigns.services.lateness import PutOff
from campaigns.states import DELIVERY_TRANSITIONS, DeliveryState, RunState, sources
from compliance.models import Subject
from segments.address_kinds import ADDRESS_KINDS

RECORD = """
UPDATE campaigns_delivery AS delivery
SET state = %(state)s, error = outcome.error, changed_at = outcome.at,
    sent_at = CASE WHEN %(state)s = 'sent' THEN outcome.at END,
    due_at = coalesce(outcome.due_at, delivery.due_at),
    attempts = delivery.attempts - outcome.untried
FROM unnest(%(profiles)s::bigint[], %(errors)s::text[], %(times)s::timestamptz[], %(dues)s::timestamptz[],
            %(untried)s::smallint[]) AS outcome (profile_id, error, at, due_at, untried)
WHERE delivery.run_id = %(run)s AND delivery.month = %(month)s AND delivery.step = %(step)s
  AND delivery.profile_id = outcome.profile_id AND delivery.state = ANY(%(from)s)
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery in hand. `attempts` counts this one; `digest` is null on a channel without addresses."""

    delivery_id: int
    profile_id: int
    digest: bytes | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery in hand. `untried`: it was never begun, so the attempt does not count."""

    profile_id: int
    state: DeliveryState
    at: datetime
    error: str = ""
    due_at: datetime | None = None
    untried: bool = False


@transaction.atomic
def turn(batch: ClaimedBatch, *, outcomes: Sequence[Outcome], size: int, now: datetime) -> list[Claimed]:
    """Record the outcomes of the last group and claim the next, of at most `size`; empty when there is none to claim.

    A `size` of 0 records only.

    Outcomes are facts and recorded even when the lease is lost; then nothing is claimed. The gate is asked here, in the
    claiming transaction: who withdrew before it began is excluded.
    """
    # The batch is locked before its deliveries, as recovery does.
    ours = batch.row().update(lease_until=now + LEASE)
    record(batch, outcomes)
    if not ours or not _may_go_on(batch):
        return []
    while True:
        rows = _candidates(batch, size, now)
        claimed = _claim(batch, rows, now)
        if claimed or not rows:
            return claimed


def record(batch: ClaimedBatch, outcomes: Sequence[Outcome]) -> None:
    """Write outcomes, one statement for each state that occurs; part of the caller's transaction.

    Compare-and-set: a delivery that was called unknown meanwhile may still become sent or failed, never planned.
    """
    by_state: dict[DeliveryState, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_state[outcome.state].append(outcome)
    with connection.cursor() as cursor:
        for state, group in by_state.items():
            cursor.execute(
                RECORD,
                {
                    "state": state.value,
                    "from": sources(DELIVERY_TRANSITIONS, state),
                    "profiles": [outcome.profile_id for outcome in group],
                    "errors": [outcome.error for outcome in group],
                    "times": [outcome.at for outcome in group],
                    "dues": [outcome.due_at for outcome in group],
                    "untried": [int(outcome.untried) for outcome in group],
                    "run": batch.run_id,
                    "month": batch.month,
                    "step": batch.step,
                },
            )


def _may_go_on(batch: ClaimedBatch) -> bool:
    """False once the campaign was cancelled or its sending channel switched off."""
    going = Run.objects.filter(pk=batch.run_id, state=RunState.SENDING, campaign__channel__is_active=True)
    return going.exists()


@dataclass(frozen=True, slots=True)
class _Candidate:
    delivery_id: int
    profile_id: int
    digest: bytes | None
    attempts: int
    due_at: datetime
    put_off_from: datetime | None
    reason_now: str
    address_now: bytes | None


def _candidates(batch: ClaimedBatch, size: int, now: datetime) -> list[_Candidate]:
    """The next planned deliveries, locked, with the gate's answer of this moment."""
    planned = batch.deliveries().filter(state=DeliveryState.PLANNED, due_at__lte=now)
    asked = audience.with_reason(planned, purpose_id=batch.purpose_id, channel=batch.channel, now=now)
    locked = asked.order_by("profile_id").select_for_update(skip_locked=True)
    fields = ("pk", "profile_id", "address_digest", "attempts", "due_at", "put_off_from", "reason_now", "address_now")
    return [
        _Candidate(pk, profile, _bytes(digest), attempts, due, put_off, reason, _bytes(address))
        for pk, profile, digest, attempts, due, put_off, reason, address in locked.values_list(*fields)[:size]
    ]


def _claim(batch: ClaimedBatch, rows: Sequence[_Candidate], now: datetime) -> list[Claimed]:
    claimed: list[Claimed] = []
    excluded: dict[str, list[int]] = defaultdict(list)
    put_off: dict[PutOff, list[int]] = defaultdict(list)
    held = _held(batch, rows, now)
    addressed = batch.channel in ADDRESS_KINDS
    judged = lateness.judge(rows, timing=batch.timing, channel=batch.channel, held=held, now=now)
    for row in rows:
        answer = judged.get(row.profile_id)
        reachable = row.address_now or not addressed
        reason = row.reason_now or ("" if reachable else ExclusionReason.NO_ADDRESS.value)
        if reason:
            excluded[reason].append(row.profile_id)
        elif isinstance(answer, PutOff):
            put_off[answer].append(row.profile_id)
        elif answer is not None:
            excluded[answer.value].append(row.profile_id)
        elif addressed and (row.digest is None or row.address_now != row.digest):
            # The person has another address now. It becomes the delivery's, and the gate is asked about it next.
            _planned(batch, [row.profile_id]).update(address_digest=row.address_now, changed_at=now)
        else:
            claimed.append(Claimed(row.delivery_id, row.profile_id, row.digest, row.attempts + 1))
    for reason, profiles in excluded.items():
        _planned(batch, profiles).update(state=DeliveryState.EXCLUDED, reason=reason, changed_at=now)
    for answer, profiles in put_off.items():
        later = _planned(batch, profiles)
        later.update(due_at=answer.until, put_off_from=answer.late_since, changed_at=now)
    if claimed:
        mine = _planned(batch, [one.profile_id for one in claimed])
        mine.update(state=DeliveryState.CLAIMED, attempts=F("attempts") + 1, changed_at=now)
    return claimed


def _held(batch: ClaimedBatch, rows: Sequence[_Candidate], now: datetime) -> Mapping[int, datetime | None]:
    """Whom a frequency cap holds back, for messages that are sent later than planned.

    Two workers that have messages for one person come here one after the other.
    """
    active = caps.active(batch.channel)
    if not active or not rows:
        return {}
    people = [row.profile_id for row in rows]
    list(Subject.objects.filter(pk__in=people).order_by("pk").select_for_update(no_key=True).values_list("pk"))
    return caps.held(active, people=people, now=now)


def _planned(batch: ClaimedBatch, profiles: list[int]) -> QuerySet[Delivery]:
    return batch.deliveries().filter(profile__in=profiles, state=DeliveryState.PLANNED)


def _bytes(value: bytes | memoryview | None) -> bytes | None:
    return None if value is None else bytes(value)
