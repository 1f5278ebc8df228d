"""Telling every downstream system of what people decided, within 72 hours: tracked, retried, acknowledged, escalated.

| state | what it means | what is next |
|---|---|---|
| pending | not told, or the last attempt failed | a webhook at `due_at`, again after 1 min, doubling to 1 h |
| told | the system answered 202, or fetched it: it knows, but has not said that it acted | told again each hour |
| acknowledged | the system answered 200 or 204, or said so over the API | nothing |

The deadline is Heed's own (mission, L3); PIPL 47 and GDPR 19 ask for it without delay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from compliance.actors import SYSTEM
from compliance.models import (
    ConsentAction,
    ConsentRecord,
    DownstreamSystem,
    PropagationState,
    PropagationTask,
)
from compliance.services import audit, downstream

DEADLINE = timedelta(hours=72)
ESCALATE_BEFORE = timedelta(hours=24)
LEASE = timedelta(minutes=2)  # longer than an attempt takes
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
BATCH = 5_000
MAX_ERROR = 240


@dataclass(frozen=True)
class Parcel:
    """What is needed to tell one system of one decision, free of the models."""

    task_id: int
    uid: str
    url: str
    secret: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: acknowledged, told, or neither, with the error."""

    task_id: int
    state: PropagationState
    error: str = ""


def enqueue(*, records: Sequence[ConsentRecord], now: datetime) -> int:
    """Have each active system told of these records, in the caller's transaction. Returns how many tasks that makes.

    All learn of withdrawals and expiries; of a new consent only those who asked for it.
    """
    systems = list(DownstreamSystem.objects.filter(is_active=True))
    tasks = [
        PropagationTask(
            system=system, record=record, created_at=now, deadline_at=now + DEADLINE, due_at=now,
        )
        for record in records
        for system in systems
        if record.action != ConsentAction.GIVEN or system.wants_consents
    ]  # fmt: skip
    PropagationTask.objects.bulk_create(tasks, batch_size=BATCH)
    return len(tasks)


@transaction.atomic
def claim(*, now: datetime, limit: int) -> list[Parcel]:
    """Take up to `limit` due tasks of systems with a webhook; each is due again after a lease, should we die.

    A system that is not active any more is told as well of what it was owed before.
    """
    due = open_tasks().filter(due_at__lte=now).exclude(system__url="").order_by("due_at")
    tasks = list(due.select_for_update(of=("self",), skip_locked=True).select_related("system", *RECORD)[:limit])
    PropagationTask.objects.filter(pk__in=[task.pk for task in tasks]).update(
        due_at=now + LEASE, attempts=F("attempts") + 1
    )
    return [
        Parcel(task.pk, str(task.uid), task.system.url, downstream.secret_of(task.system), payload(task))
        for task in tasks
    ]


def record(*, outcomes: Sequence[Outcome], now: datetime) -> None:
    """Write how attempts ended. What was acknowledged meanwhile stays so."""
    for outcome in outcomes:
        with transaction.atomic():
            task = open_tasks().select_for_update().select_related("system").filter(pk=outcome.task_id).first()
            if task is not None:
                _settle(task, outcome, now)


def acknowledge(
    *, system: DownstreamSystem, uid: UUID, actor: str, now: datetime, note: str = ""
) -> PropagationTask | None:
    """The system says that it acted, or staff say so for it, with a `note` on how they know.

    Done before, it changes nothing; None when the system has no such task.
    """
    with transaction.atomic():
        tasks = PropagationTask.objects.select_for_update(of=("self",)).select_related("system", *RECORD)
        task = tasks.filter(system=system, uid=uid).first()
        if task is not None and task.state != PropagationState.ACKNOWLEDGED:
            _acknowledged(task, actor, now, note)
        return task


def fetched(*, tasks: Sequence[PropagationTask], now: datetime) -> None:
    """The system has read these tasks over the API: it was told."""
    pending = PropagationTask.objects.filter(pk__in=[task.pk for task in tasks], state=PropagationState.PENDING)
    pending.update(state=PropagationState.TOLD, told_at=now, due_at=now + LONGEST_PAUSE)


def about_to_be_late(*, now: datetime) -> list[PropagationTask]:
    """What is still open with less than 24 hours left and nobody was alerted to."""
    late = open_tasks().filter(escalated_at__isnull=True, deadline_at__lte=now + ESCALATE_BEFORE)
    return list(late.select_related("system").order_by("deadline_at"))


def escalated(*, tasks: Sequence[PropagationTask], now: datetime) -> None:
    """Note that people were alerted to these tasks."""
    with transaction.atomic():
        PropagationTask.objects.filter(pk__in=[task.pk for task in tasks]).update(escalated_at=now)
        entries = [_entry(task, "propagation.escalated", SYSTEM, {"deadline": task.deadline_at}) for task in tasks]
        audit.append_many(entries=entries, now=now)


def retry_now(*, task: PropagationTask, actor: str, now: datetime) -> None:
    """Have a task tried at once."""
    with transaction.atomic():
        if open_tasks().filter(pk=task.pk).update(due_at=now):
            audit.append_many(entries=[_entry(task, "propagation.retried", actor, {})], now=now)


def open_tasks() -> QuerySet[PropagationTask]:
    """What is not acknowledged yet."""
    return PropagationTask.objects.exclude(state=PropagationState.ACKNOWLEDGED)


RECORD = ("record__subject", "record__purpose")


def payload(task: PropagationTask) -> dict[str, Any]:
    """What a system is told: the person's public id and the decision. Nothing else about the person."""
    stored = task.record
    return {
        "type": f"consent.{stored.action}",
        "timestamp": stored.occurred_at.isoformat(),
        "data": {
            "task": str(task.uid),
            "subject": str(stored.subject.uid),
            "purpose": stored.purpose.key,
            "channel": stored.channel,
            "record": str(stored.uid),
            "deadline": task.deadline_at.isoformat(),
        },
    }


def _settle(task: PropagationTask, outcome: Outcome, now: datetime) -> None:
    if outcome.state == PropagationState.ACKNOWLEDGED:
        _acknowledged(task, SYSTEM, now)
    elif outcome.state == PropagationState.TOLD:
        if task.told_at is None:
            audit.append_many(entries=[_entry(task, "propagation.told", SYSTEM, {})], now=now)
        task.state, task.told_at, task.error = PropagationState.TOLD, task.told_at or now, ""
        task.due_at = now + LONGEST_PAUSE
    else:
        pause = min(FIRST_PAUSE * 2 ** min(task.attempts - 1, 10), LONGEST_PAUSE)
        task.error, task.due_at = outcome.error[:MAX_ERROR], now + pause
    task.save(update_fields=["state", "told_at", "acknowledged_at", "error", "due_at"])


def _acknowledged(task: PropagationTask, actor: str, now: datetime, note: str = "") -> None:
    task.state, task.acknowledged_at, task.error = PropagationState.ACKNOWLEDGED, now, ""
    task.told_at = task.told_at or now
    task.save(update_fields=["state", "acknowledged_at", "told_at", "error"])
    seconds = int((now - task.created_at).total_seconds())
    details = {"seconds": seconds, "late": now > task.deadline_at, **({"note": note} if note else {})}
    audit.append_many(entries=[_entry(task, "propagation.acknowledged", actor, details)], now=now)


def _entry(task: PropagationTask, action: str, actor: str, details: dict[str, Any]) -> audit.Entry:
    shown = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in details.items()}
    facts = {"system": task.system.key, "record": task.record_id, **shown}
    return audit.Entry(action, actor, "propagation", str(task.uid), facts)
