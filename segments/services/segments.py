"""Changes of segments: what they mean, and who is in them."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _

from compliance.services import audit
from segments.models import Segment, SegmentVersion, Tag
from segments.rules import Rule, RuleError, parse

logger = logging.getLogger(__name__)

LOCK_NAMESPACE = 0x53454700
"""The first key of the advisory locks that keep two refreshes of one segment apart; the second is its id."""


@dataclass(frozen=True)
class RefreshResult:
    """How many people a refresh let in and out, and how many are members now."""

    entered: int
    left: int
    members: int


@transaction.atomic
def create(
    *,
    key: str,
    name: str,
    definition: Mapping[str, Any],
    description: str = "",
    actor: str,
    now: datetime,
    user: User | None = None,
) -> Segment:
    """Create a segment, still without members, with version 1 of its definition.

    Raises `RuleError` for the definition and `ValidationError`, by field, for a key that is malformed or
    taken.
    """
    rule = _checked(definition)
    segment = Segment(key=key, name=name, description=description, definition=rule.to_json())
    segment.full_clean()
    segment.save()
    _add_version(segment, action="segment.created", actor=actor, now=now, user=user)
    return segment


@transaction.atomic
def change_definition(
    *, segment: Segment, definition: Mapping[str, Any], actor: str, now: datetime, user: User | None = None
) -> Segment:
    """Give a segment a new version of its definition; the same definition again changes nothing.

    Members change with the next refresh. Raises `RuleError`.
    """
    wanted = _checked(definition).to_json()
    locked = Segment.objects.select_for_update().get(pk=segment.pk)
    if locked.definition == wanted:
        return locked
    locked.definition = wanted
    locked.version += 1
    locked.save(update_fields=["definition", "version"])
    _add_version(locked, action="segment.definition_changed", actor=actor, now=now, user=user)
    return locked


@transaction.atomic
def change_details(
    *, segment: Segment, name: str, description: str, is_active: bool, actor: str, now: datetime
) -> Segment:
    """Change what does not decide who is in; an inactive segment keeps its members as they are.

    Raises `ValidationError` by field.
    """
    locked = Segment.objects.select_for_update().get(pk=segment.pk)
    locked.name, locked.description, locked.is_active = name, description, is_active
    locked.full_clean(exclude=["definition"])
    locked.save(update_fields=["name", "description", "is_active"])
    _leaf(locked, "segment.details_changed", {"name": name, "is_active": is_active}, actor=actor, now=now)
    return locked


@transaction.atomic
def refresh(*, segment: Segment, now: datetime, actor: str) -> RefreshResult:
    """Make the members exactly those for whom the definition holds at `now`; waits for a refresh under way.

    Raises `RuleError` when the definition holds a kind of condition that is not registered any more.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_NAMESPACE, segment.pk])
    return _refresh(segment.pk, now=now, actor=actor)


def refresh_all(*, now: datetime, actor: str) -> dict[str, RefreshResult]:
    """Refresh every active segment in a transaction of its own; returns the results by segment key.

    A segment that is being refreshed is passed over, and one that fails is logged and does not stop the
    others.
    """
    results = {}
    for pk, key in Segment.objects.filter(is_active=True).values_list("pk", "key"):
        try:
            with transaction.atomic():
                if _try_lock(pk):
                    results[key] = _refresh(pk, now=now, actor=actor)
        except (RuleError, DatabaseError):
            logger.exception("segment %s could not be refreshed", key)
    return results


def _try_lock(segment_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK_NAMESPACE, segment_id])
        return bool(cursor.fetchone()[0])


def _refresh(segment_id: int, *, now: datetime, actor: str) -> RefreshResult:
    segment = Segment.objects.get(pk=segment_id)
    result = _exchange_members(segment_id, parse(segment.definition), now)
    Segment.objects.filter(pk=segment_id).update(member_count=result.members, refreshed_at=now)
    if result.entered or result.left:
        details = {
            "version": segment.version,
            "entered": result.entered,
            "left": result.left,
            "members": result.members,
        }
        _leaf(segment, "segment.members_changed", details, actor=actor, now=now)
    return result


def _exchange_members(segment_id: int, rule: Rule, now: datetime) -> RefreshResult:
    """Write the difference between the members and the people of the rule; as many statements for a million.

    The people go through a temporary table: making it may use parallel workers, which no INSERT .. SELECT
    does, and once analysed it keeps the planner from treating a million rows as the few it guessed.
    """
    sql, params = rule.queryset(now).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.segment_wanted")
        cursor.execute(f"CREATE TEMPORARY TABLE segment_wanted (profile_id) AS {sql}", params)
        members = cursor.rowcount
        cursor.execute("ANALYZE pg_temp.segment_wanted")
        cursor.execute(
            """
            DELETE FROM segments_segmentmembership m
            WHERE m.segment_id = %s
              AND NOT EXISTS (SELECT FROM pg_temp.segment_wanted w WHERE w.profile_id = m.profile_id)
            """,
            [segment_id],
        )
        left = cursor.rowcount
        cursor.execute(
            """
            INSERT INTO segments_segmentmembership (segment_id, profile_id, entered_at)
            SELECT %s, w.profile_id, %s FROM pg_temp.segment_wanted w
            WHERE NOT EXISTS (
                SELECT FROM segments_segmentmembership m
                WHERE m.segment_id = %s AND m.profile_id = w.profile_id
            )
            ORDER BY w.profile_id
            """,
            [segment_id, now, segment_id],
        )
        entered = cursor.rowcount
        cursor.execute("DROP TABLE pg_temp.segment_wanted")
    return RefreshResult(entered=entered, left=left, members=members)


def _checked(definition: Mapping[str, Any]) -> Rule:
    """The parsed definition, with every tag that it names known."""
    rule = parse(definition)
    tags = rule.depends_on().tags
    unknown = sorted(tags - set(Tag.objects.filter(key__in=tags).values_list("key", flat=True)))
    if unknown:
        raise RuleError("", _("no such tag: %(tags)s") % {"tags": ", ".join(unknown)})
    return rule


def _add_version(segment: Segment, *, action: str, actor: str, now: datetime, user: User | None) -> None:
    SegmentVersion.objects.create(
        segment=segment,
        version=segment.version,
        definition=segment.definition,
        created_at=now,
        created_by=user,
    )
    # A digest, for a rule may name a person's value; the version row holds the words.
    digest = hashlib.sha256(rfc8785.dumps(segment.definition)).hexdigest()
    _leaf(segment, action, {"version": segment.version, "definition_sha256": digest}, actor=actor, now=now)


def _leaf(segment: Segment, action: str, details: Mapping[str, Any], *, actor: str, now: datetime) -> None:
    audit.append(
        action=action,
        actor=actor,
        object_type="segment",
        object_id=str(segment.uid),
        details={"key": segment.key, **details},
        now=now,
    )
