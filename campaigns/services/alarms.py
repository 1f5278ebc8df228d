"""The alarm clock of recurring campaigns: each owns a PeriodicTask of django-celery-beat, known by its name.

The campaign's row decides, and the task only wakes a worker: what somebody deletes or changes in it by hand is put
right at the next reconciliation, and no run is lost meanwhile.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import CharField, Value
from django.db.models.functions import Concat
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from campaigns.models import Campaign, CampaignKind
from compliance.services import audit

TASK = "campaigns.tasks.launch_recurring"
PREFIX = "campaigns: recurring "
EXPIRES = 600  # seconds; while no worker listens, calls do not pile up
OTHERWISE: Mapping[str, Any] = {
    "task": TASK, "interval_id": None, "solar_id": None, "clocked_id": None, "args": "[]", "queue": None,
    "exchange": None, "routing_key": None, "expires": None, "expire_seconds": EXPIRES, "one_off": False,
    "start_time": None, "enabled": True,
}  # fmt: skip


def name_of(campaign: Campaign) -> str:
    """The name of the campaign's PeriodicTask."""
    return f"{PREFIX}{campaign.key}"


def settle(campaign: Campaign) -> bool:
    """Make the PeriodicTask what the campaign's row asks for, in the caller's transaction, which holds its lock.

    It rings while the campaign has a next time and is switched off otherwise. Returns whether anything was changed.
    """
    task = PeriodicTask.objects.filter(name=name_of(campaign)).first()
    if campaign.next_at is None:
        if task is None or not task.enabled:
            return False
        wanted: Mapping[str, Any] = {"enabled": False}
    else:
        wanted = {**OTHERWISE, "crontab_id": _crontab(campaign).pk, "kwargs": json.dumps({"key": campaign.key})}
    task = task or PeriodicTask(name=name_of(campaign))
    wrong = {field: value for field, value in wanted.items() if task.pk is None or getattr(task, field) != value}
    for field, value in wrong.items():
        setattr(task, field, value)
    if wrong:
        task.save()  # not update(): saving tells a running beat
    return bool(wrong)


def reconcile(*, now: datetime, actor: str) -> list[str]:
    """Put right every PeriodicTask that is not what its campaign asks for, and remove those of no campaign.

    Returns the names of those that were wrong; each leaves an audit leaf.
    """
    recurring = Campaign.objects.filter(kind=CampaignKind.RECURRING)
    names = recurring.values_list(Concat(Value(PREFIX), "key", output_field=CharField()))
    orphans = PeriodicTask.objects.filter(name__startswith=PREFIX).exclude(name__in=names)
    wrong = [name for pk in recurring.values_list("pk", flat=True) if (name := _reconcile(pk, now, actor))]
    for task in orphans:
        task.delete()
        wrong.append(task.name)
    return wrong


@transaction.atomic
def _reconcile(pk: int, now: datetime, actor: str) -> str:
    campaign = Campaign.objects.select_for_update(skip_locked=True).filter(pk=pk).first()
    if campaign is None or not settle(campaign):
        return ""
    audit.append(
        action="campaign.alarm_restored", actor=actor, object_type="campaign", object_id=str(campaign.uid),
        details={"key": campaign.key, "task": name_of(campaign)}, now=now,
    )  # fmt: skip
    return name_of(campaign)


def _crontab(campaign: Campaign) -> CrontabSchedule:
    """A schedule with exactly these fields; others may share it, so it is never changed."""
    fields = campaign.crontab.to_json()
    found = CrontabSchedule.objects.filter(**fields).order_by("pk").first()
    return found or CrontabSchedule.objects.create(**fields)
