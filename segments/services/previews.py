"""What an unsaved rule would select. Nothing is changed; a preview that was overtaken by a newer one is stopped."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from segments.rules import Rule
from segments.rules.nodes import Group
from segments.rules.shares import Share, shares
from segments.selectors import segment_warnings
from segments.selectors import segments as selectors
from segments.selectors.limited import StoppedError, at_most
from segments.selectors.segment_warnings import SegmentWarning
from segments.services import segments

LOCK_NAMESPACE = 0x50524556
"""The first key of the advisory locks that previews hold while they ask; the second stands for the open form."""
SECONDS = 5.0


@dataclass(frozen=True)
class Preview:
    """How many people match, the ids of some of them, what each condition of the root group does, and warnings.

    `count` is None when counting took more than `SECONDS`; so is `shares` when finding them did.
    """

    sentence: str
    count: int | None
    sample: list[int] = field(default_factory=list)
    shares: list[Share] | None = None
    warnings: list[SegmentWarning] = field(default_factory=list)


def preview(*, definition: Mapping[str, Any], form: str, now: datetime, key: str = "") -> Preview:
    """Preview a rule tree of the segment called `key`, if it has one already.

    `form` tells open forms apart: a newer preview of a form stops the older one. Raises `RuleError`.
    """
    rule = segments.check(definition=definition, key=key)
    sentence = rule.describe()
    with transaction.atomic():
        _take_over(form)
        try:
            with at_most(SECONDS):
                count, sample = rule.queryset(now).count(), selectors.sample(definition, now)
        except StoppedError:
            return Preview(sentence, None, warnings=_warnings(rule, None, key, now))
        return Preview(sentence, count, sample, _shares(rule, now), _warnings(rule, count, key, now))


def sample(*, definition: Mapping[str, Any], now: datetime) -> list[int]:
    """The ids of the same people as in a preview. Raises `RuleError` and `StoppedError`."""
    with at_most(SECONDS):
        return selectors.sample(definition, now)


def _shares(rule: Rule, now: datetime) -> list[Share] | None:
    try:
        with at_most(SECONDS):
            return shares(rule.root, now) if isinstance(rule.root, Group) else []
    except StoppedError:
        return None


def _warnings(rule: Rule, count: int | None, key: str, now: datetime) -> list[SegmentWarning]:
    try:
        with at_most(SECONDS):
            return segment_warnings.of_rule(rule, count=count, now=now, key=key)
    except StoppedError:
        return []


def lock_key(form: str) -> int:
    """What stands for a form in the locks: 32 bits."""
    return int.from_bytes(hashlib.sha256(form.encode()).digest()[:4], signed=True)


def _take_over(form: str) -> None:
    """Stop older previews of the same form, and let a newer one stop this one. Shared locks: nobody ever waits."""
    key = lock_key(form)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT pg_cancel_backend(pid) FROM pg_locks
            WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid() AND objsubid = 2
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND classid = %s::oid AND objid = (%s::bigint & 4294967295)::oid
            """,
            [LOCK_NAMESPACE, key],
        )
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [LOCK_NAMESPACE, key])
