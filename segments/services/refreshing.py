"""Keeping dynamic segments true to their rules: everybody looked at anew, or those alone whom time moves."""

import logging
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction

from compliance.services import audit
from segments import causes
from segments.models import Segment, Touch
from segments.rules import Rule, RuleError, parse
from segments.selectors import tag_dependencies
from segments.services import memberships, segment_sizes, shared_rows
from segments.services.clock_questions import ClockQuestions
from segments.services.memberships import RefreshResult

logger = logging.getLogger(__name__)

RECONCILE_AFTER = timedelta(hours=24)
"""Everybody is looked at anew at least so often, whatever else says that nothing changed."""
FEW = 10_000
"""More people than these are not looked at one by one: everybody is, which costs less then."""
Clock = Callable[[], datetime]


def refresh_all(*, now: datetime, actor: str, clock: Clock | None = None) -> dict[str, RefreshResult]:
    """Refresh every active dynamic segment; returns the results by segment key.

    Those that others ask for come first. Segments that count the same are refreshed in one transaction, which counts
    it once; each other has a transaction of its own. A segment that is being refreshed is passed over, and one that
    fails is logged and does not stop the others.

    `clock` is asked for the time again once members are locked, so that no answer is older than one that was given
    meanwhile; without it, `now` counts throughout.
    """
    ids = [pk for pk, _key in tag_dependencies.segments_in_order()]
    return _refresh(ids, now=now, actor=actor, clock=clock or (lambda: now))


def fall_due(*, changed: Collection[str]) -> None:
    """Let everybody be asked again by the segments that these causes concern."""
    for segment in Segment.objects.following():
        depends_on = tag_dependencies.dependencies_of(segment.definition)
        if any(depends_on.concern(cause) for cause in changed):
            Segment.objects.filter(pk=segment.pk).update(checked_at=None)


def follow_clock(*, now: datetime, actor: str, clock: Clock | None = None) -> dict[str, RefreshResult]:
    """Look at those people whom the passing of time alone may have moved, segment by segment; at everybody where that
    cannot be told, where they are many, where the segment was never checked since it changed, and once a day.

    What else happens to people comes as touches (`segments.services.followup`). Returns the results of the segments
    that were refreshed whole, by key. `clock`: see `refresh_all`.
    """
    clock = clock or (lambda: now)
    ids = [pk for pk, _key in tag_dependencies.segments_in_order()]
    segments = Segment.objects.in_bulk(ids)
    questions = ClockQuestions(FEW)
    whole, reconciled = [], []
    for pk in ids:
        segment = segments[pk]
        try:
            rule = parse(segment.definition)
            people = _moved(segment, rule, now, questions)
            if people is not None:
                _check(segment, rule, people, now=now, actor=actor, clock=clock)
            if people is None or _is_due(segment, now):
                whole.append(pk)
                reconciled += [segment.key] if people is not None else []
        except (RuleError, DatabaseError):
            logger.exception("segment %s could not follow the clock", segment.key)
    results = _refresh(whole, now=now, actor=actor, clock=clock)
    _warn_of_differences({key: results[key] for key in reconciled if key in results})
    return results


def refresh_locked(
    *, segment: Segment, now: datetime, actor: str, cause: str, tables: Mapping[Hashable, str] | None = None
) -> RefreshResult:
    """Make the members of a segment exactly those for whom its definition holds at `now`.

    In the caller's transaction, which holds the lock of the segment. `tables`: see `Rule.queryset`. Raises `RuleError`.
    """
    if cause != causes.SNAPSHOT and segment.refreshed_version != segment.version:
        cause = causes.DEFINITION
    result = memberships.exchange(
        segment_id=segment.pk, rule=parse(segment.definition), now=now, cause=cause, version=segment.version,
        is_to_stay=not segment.is_following, tables=tables,
    )  # fmt: skip
    Segment.objects.filter(pk=segment.pk).update(
        member_count=result.members, refreshed_at=now, checked_at=now, refreshed_version=segment.version
    )
    segment_sizes.record(segment_id=segment.pk, entered=result.entered, left=result.left, now=now)
    if result.entered or result.left:
        audit.append(
            action="segment.members_changed", actor=actor, object_type="segment", object_id=str(segment.uid),
            details={
                "key": segment.key, "version": segment.version, "entered": result.entered, "left": result.left,
                "members": result.members,
            },
            now=now,
        )  # fmt: skip
        memberships.tell_followers(segment=segment, now=now)
    return result


def _is_due(segment: Segment, now: datetime) -> bool:
    return segment.refreshed_at is not None and now - segment.refreshed_at >= RECONCILE_AFTER


def _warn_of_differences(results: Mapping[str, RefreshResult]) -> None:
    """What asking everybody found though touches and the clock should have: a mistake of ours, unless touches wait."""
    different = {key: result for key, result in results.items() if result.entered or result.left}
    waiting = Touch.objects.count() if different else 0
    for key, result in different.items():
        logger.warning(
            "segment %s: %d entered and %d left when everybody was asked, whom neither the clock nor a touch had moved"
            " (touches waiting: %d)", key, result.entered, result.left, waiting,
        )  # fmt: skip


def _moved(segment: Segment, rule: Rule, now: datetime, questions: ClockQuestions) -> set[int] | None:
    """Whom the clock may have moved since the segment was checked last; None: look at everybody."""
    since = segment.checked_at
    if since is None or segment.refreshed_at is None or segment.refreshed_version != segment.version:
        return None
    asked = rule.touched_by_clock(since, now)
    return None if asked is None else questions.people(asked)


def _check(segment: Segment, rule: Rule, people: Collection[int], *, now: datetime, actor: str, clock: Clock) -> None:
    with transaction.atomic():
        if people:
            memberships.lock(segment.pk)
            moved = dict.fromkeys(people, causes.CLOCK)
            memberships.recheck_some(segment=segment, rule=rule, people=moved, now=clock(), actor=actor)
        # Whoever made it fall due meanwhile is not forgotten.
        Segment.objects.filter(pk=segment.pk, checked_at=segment.checked_at).update(checked_at=now)


def _refresh(ids: Sequence[int], *, now: datetime, actor: str, clock: Clock) -> dict[str, RefreshResult]:
    results: dict[str, RefreshResult] = {}
    for family in shared_rows.families(_rules(ids), now):
        with transaction.atomic():
            free = [pk for pk in family if memberships.try_lock(pk)]
            results |= _refresh_family(_rules(free), now=clock(), actor=actor)
    return results


def _rules(segment_ids: Sequence[int]) -> dict[int, Rule]:
    """The rules of these segments as they are now, in this order; one that cannot be read is logged and left out."""
    segments = Segment.objects.in_bulk(segment_ids)
    rules = {}
    for pk in segment_ids:
        try:
            rules[pk] = parse(segments[pk].definition)
        except RuleError:
            logger.exception("segment %s could not be refreshed", segments[pk].key)
    return rules


def _refresh_family(rules: Mapping[int, Rule], *, now: datetime, actor: str) -> dict[str, RefreshResult]:
    """Refresh segments that are locked; whatever fails is logged."""
    tables = shared_rows.prepare(list(rules.values()), now)
    results = {}
    for pk in rules:
        segment = Segment.objects.get(pk=pk)
        try:
            with transaction.atomic():
                results[segment.key] = refresh_locked(
                    segment=segment, now=now, actor=actor, cause=causes.CLOCK, tables=tables
                )
        except (RuleError, DatabaseError):
            logger.exception("segment %s could not be refreshed", segment.key)
    return results
