"""Computing definitions: those that are due for everybody, and those that follow at once for a few people."""

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Count, Q

from compliance.services import audit
from segments import rhythms
from segments.models import ProfileTag, Rhythm, Tag, TagKind
from segments.rules import RuleError
from segments.selectors import tag_dependencies, tag_rules
from segments.services.tags import aggregates, interests, rule_tags, writing
from segments.services.tags.writing import Changes, Scope

logger = logging.getLogger(__name__)

RETRY = timedelta(hours=1)
"""A definition that failed is tried again after this, or by its rhythm when that is sooner."""


def compute_due(*, now: datetime, actor: str) -> dict[str, Changes]:
    """Compute every definition that is due, each in a transaction of its own; returns the changes by key.

    Those on which others depend come first. One that somebody else computes is passed over; one that fails keeps the
    tags it had, says so on the definition (`error`) and stops no other.
    """
    due = list(Tag.objects.units().filter(is_active=True, due_at__lte=now))
    results = {}
    for unit in tag_dependencies.in_order(due):
        found = compute(unit=unit, now=now, actor=actor)
        if found is not None:
            results[unit.key] = found
    return results


def compute(*, unit: Tag, now: datetime, actor: str) -> Changes | None:
    """Compute one definition for everybody. Returns None when it failed or is being computed elsewhere."""
    Tag.objects.filter(pk=unit.pk).update(started_at=now)
    try:
        with transaction.atomic():
            if not writing.try_lock(unit.pk):
                return None
            unit = Tag.objects.select_related("parent__parent").get(pk=unit.pk)
            changes = _compute(unit, now)
            _finished(unit, changes, actor=actor, now=now)
            return changes
    except (RuleError, DatabaseError) as error:
        logger.exception("tag %s could not be computed", unit.key)
        _failed(unit, error, actor=actor, now=now)
        return None


def compute_some(*, unit: Tag, people: Collection[int], now: datetime) -> dict[str, set[int]]:
    """Compute a definition for these people, in the caller's transaction; returns those changed by cause."""
    writing.lock(unit.pk)
    if unit.kind == TagKind.INTEREST:
        interests.prepare(unit, _scope(unit, people), now)
        scope = _scope(unit, people)  # with the categories just made
        first = interests.COUNTED.format(about=interests.about(people))
        return writing.exchange_some(scope=scope, wanted=interests.wanted(unit, scope, now), now=now, first=first)
    if unit.kind == TagKind.AGGREGATE:
        aggregates.prepare(unit, now, people)
        return writing.exchange_some(scope=_scope(unit, people), wanted=aggregates.wanted(unit, now, people), now=now)
    rules = tag_rules.rules_of(unit)
    return writing.exchange_some(scope=_scope(unit, people), wanted=rule_tags.wanted(unit, rules, now, people), now=now)


def next_due(unit: Tag, now: datetime) -> datetime | None:
    """When the definition is computed next for everybody after `now`."""
    if unit.rhythm == Rhythm.CRONTAB and unit.crontab is not None:
        start, wait, _ = unit.crontab.schedule.remaining_delta(now)
        at: datetime = start + wait
        return at.astimezone(now.tzinfo)
    return rhythms.next_due(unit.rhythm, now, ZoneInfo(settings.TIME_ZONE))


def recount(*, now: datetime) -> None:
    """Find out anew how many people carry each tag; expired ones drop out."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE segments_tag tag SET people = counted.people
            FROM (
                SELECT t.id, count(p.id) AS people FROM segments_tag t
                LEFT JOIN segments_profiletag p ON p.tag_id = t.id AND (p.expires_at IS NULL OR p.expires_at > %s)
                GROUP BY t.id
            ) counted
            WHERE counted.id = tag.id AND counted.people <> tag.people
            """,
            [now],
        )


def _compute(unit: Tag, now: datetime) -> Changes:
    touch = tag_dependencies.is_watched(unit)
    if unit.kind == TagKind.INTEREST:
        interests.prepare(unit, _scope(unit, None), now)
        scope = _scope(unit, None)
        return writing.exchange(
            scope=scope, wanted=interests.wanted(unit, scope, now), now=now, touch=touch,
            first=interests.COUNTED.format(about=interests.about(None)),
        )  # fmt: skip
    if unit.kind == TagKind.AGGREGATE:
        aggregates.prepare(unit, now, None)
        return writing.exchange(
            scope=_scope(unit, None), wanted=aggregates.wanted(unit, now, None), now=now, touch=touch
        )
    wanted = rule_tags.wanted(unit, tag_rules.rules_of(unit), now, None)
    return writing.exchange(scope=_scope(unit, None), wanted=wanted, now=now, touch=touch)


def _scope(unit: Tag, only: Collection[int] | None) -> Scope:
    kind, fades = "rule", unit.kind == TagKind.INTEREST
    tag_ids = [unit.pk]
    if unit.kind == TagKind.GROUP:
        tag_ids = list(unit.children.filter(kind=TagKind.RULE, is_active=True).values_list("pk", flat=True))
    elif fades or (unit.kind == TagKind.AGGREGATE and aggregates.is_by_category(unit)):
        tag_ids = list(unit.children.filter(kind=TagKind.CATEGORY).values_list("pk", flat=True))
    if unit.kind in (TagKind.INTEREST, TagKind.AGGREGATE):
        kind = unit.kind
    return Scope(definition=unit, tag_ids=tag_ids, source=f"{kind}:{unit.key}", only=only, is_weight_fading=fades)


def _finished(unit: Tag, changes: Changes, *, actor: str, now: datetime) -> None:
    row = Tag.objects.filter(pk=unit.pk)
    row.update(computed_at=now, clock_at=now, started_at=None, error="")
    # Whoever asked for another computation meanwhile has it.
    row.filter(Q(due_at=unit.due_at) | Q(due_at__isnull=True)).update(due_at=next_due(unit, now))
    _count(unit, now)
    if changes.given or changes.taken:
        audit.append(
            action="tag.computed", actor=actor, object_type="tag", object_id=unit.key,
            details={"given": changes.given, "taken": changes.taken}, now=now,
        )  # fmt: skip


def _failed(unit: Tag, error: Exception, *, actor: str, now: datetime) -> None:
    regular = next_due(unit, now)
    due_at = min(regular, now + RETRY) if regular else None
    with transaction.atomic():
        Tag.objects.filter(pk=unit.pk).update(started_at=None, error=str(error)[:1000], due_at=due_at)
        audit.append(
            action="tag.computing_failed", actor=actor, object_type="tag", object_id=unit.key,
            details={"error": type(error).__name__}, now=now,
        )  # fmt: skip


def _count(unit: Tag, now: datetime) -> None:
    own = Q(pk=unit.pk) | Q(parent=unit.pk)
    tags = list(Tag.objects.filter(own))
    rows = ProfileTag.objects.carried(now).filter(tag__in=tags).order_by().values_list("tag")
    people = dict(rows.annotate(Count("pk")))
    for tag in tags:
        tag.people = people.get(tag.pk, 0)
    Tag.objects.bulk_update(tags, ["people"])
