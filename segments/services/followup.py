"""What follows from a change about a person, within seconds: first their tags, then the segments they are in."""

from datetime import datetime

from django.db import connection, transaction

from segments.services import memberships, refreshing, tags, touches
from segments.services.memberships import RefreshResult
from segments.services.refreshing import Clock

LOCK = 0x48454544_03
LIMIT = 5_000


def follow_up(*, now: datetime, actor: str, limit: int = LIMIT) -> int:
    """Work off up to `limit` touches in one transaction; returns how many people and causes they were.

    Only one process does so at a time, which keeps an older answer from overwriting a newer one; another that comes
    meanwhile returns 0 at once.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
        touched = touches.claim(limit=limit)
        for cause, people in tags.follow(touched=touched, now=now, actor=actor).items():
            touched.setdefault(cause, set()).update(people)
        if touched:
            memberships.recheck(touched=touched, now=now, actor=actor)
        return sum(len(people) for people in touched.values())


def follow_clock(*, now: datetime, actor: str, clock: Clock | None = None) -> dict[str, RefreshResult]:
    """What a minute brings: segments follow the clock; what a vast change concerns is asked of everybody again, and
    tags that it concerns fall due.

    Returns the results of the segments that were refreshed whole, by key. `clock`: see `refreshing.refresh_all`.
    """
    with transaction.atomic():
        changed = touches.claim_everybody()
        tags.fall_due(changed=changed, now=now)
        refreshing.fall_due(changed=changed)
    return refreshing.follow_clock(now=now, actor=actor, clock=clock)
