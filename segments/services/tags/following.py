"""Tags that follow a change at once: after touches of people, and after the clock alone."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db import DatabaseError, transaction
from django.db.models import DateTimeField, F, Value
from django.db.models.functions import Least

from segments import causes
from segments.models import Event, ProfileTag, Rhythm, Tag, TagKind
from segments.models.tag import TagQuerySet
from segments.rules import RuleError
from segments.selectors import tag_dependencies, tag_rules
from segments.services import touches
from segments.services.clock_questions import ClockQuestions
from segments.services.tags import aggregates, computing, interests, rule_tags

logger = logging.getLogger(__name__)

CLOCK_LIMIT = 10_000
"""So many people are checked one by one when time passed; beyond it, computing for everybody is cheaper."""


def follow(*, touched: Mapping[str, Collection[int]], now: datetime, actor: str) -> dict[str, set[int]]:
    """Bring the tags that follow at once up to date for the people touched, given by cause, and count the events that
    are pending for interests. In the caller's transaction.

    Returns what it changed in the same form: for each tag the people who were given it, lost it or carry it with
    another weight. A definition that fails is logged on it and stops no other.
    """
    caused: dict[str, set[int]] = defaultdict(set)
    _gather(caused, interests.add_pending(now=now))
    everything = {cause: set(people) for cause, people in touched.items()}
    _gather(everything, caused)
    if not everything:
        return {}
    for unit in tag_dependencies.in_order(_followers()):
        people = _concerned(unit, everything)
        if not people:
            continue
        changed = _compute(unit, people, now)
        _gather(caused, changed)
        _gather(everything, changed)
    return dict(caused)


def follow_clock(*, now: datetime, actor: str) -> int:
    """Bring up to date those of the tags that follow at once which the passing of time may have changed; returns how
    many people were checked.

    A definition of which it cannot be told whom time concerns, or whom it concerns in great number, becomes due for
    everybody instead, at most hourly.
    """
    checked, questions = 0, ClockQuestions(CLOCK_LIMIT)
    for unit in tag_dependencies.in_order(_followers().filter(clock_at__isnull=False)):
        if unit.kind == TagKind.INTEREST or not tag_dependencies.of_unit(unit).clock:
            continue
        people = _moved_by_clock(unit, now, questions)
        if people is None or len(people) > CLOCK_LIMIT:
            due_at = max(now, (unit.computed_at or now) + computing.RETRY)
            Tag.objects.filter(pk=unit.pk).exclude(due_at__lte=due_at).update(due_at=due_at)
            continue
        with transaction.atomic():
            if people:
                changed = _compute(unit, people, now)
                touches.add(touched=[(one, cause) for cause in changed for one in sorted(changed[cause])], now=now)
            Tag.objects.filter(pk=unit.pk).update(clock_at=now)
        checked += len(people)
    return checked


def fall_due(*, changed: Collection[str], now: datetime) -> None:
    """Let the tags that follow at once, and which these causes concern, be computed for everybody. Interests have their
    own way to be asked for."""
    for unit in _followers().exclude(kind=TagKind.INTEREST):
        depends_on = tag_dependencies.of_unit(unit)
        if any(depends_on.concern(cause) for cause in changed):
            Tag.objects.filter(pk=unit.pk).exclude(due_at__lte=now).update(due_at=now)


def _followers() -> TagQuerySet:
    return Tag.objects.units().filter(is_active=True, rhythm=Rhythm.AT_ONCE).select_related("parent__parent")


def _concerned(unit: Tag, touched: Mapping[str, Collection[int]]) -> set[int]:
    if unit.kind == TagKind.INTEREST:  # its events come by `add_pending`; only a merge mixes the past anew
        merged = touched.get(causes.IDENTITY, ())
        return set(Event.objects.filter(profile__in=merged).values_list("profile_id", flat=True)) if merged else set()
    depends_on = tag_dependencies.of_unit(unit)
    return {person for cause in touched if depends_on.concern(cause) for person in touched[cause]}


def _moved_by_clock(unit: Tag, now: datetime, questions: ClockQuestions) -> set[int] | None:
    since = unit.clock_at or now
    if unit.kind == TagKind.AGGREGATE:
        return aggregates.touched_by_clock(unit, since, now)
    try:
        queries = rule_tags.touched_by_clock(tag_rules.rules_of(unit), since, now)
    except RuleError:
        return None
    expired = ProfileTag.objects.filter(
        tag__in=_own_tags(unit), is_given=False, expires_at__gt=since, expires_at__lte=now
    ).values_list("profile_id", flat=True)
    return None if queries is None else questions.people([*queries, expired])


def _own_tags(unit: Tag) -> Iterable[int]:
    return [unit.pk, *unit.children.values_list("pk", flat=True)]


def _compute(unit: Tag, people: Collection[int], now: datetime) -> dict[str, set[int]]:
    try:
        with transaction.atomic():
            return computing.compute_some(unit=unit, people=people, now=now)
    except (RuleError, DatabaseError) as error:
        logger.exception("tag %s could not follow", unit.key)
        again = Least(F("due_at"), Value(now + computing.RETRY, output_field=DateTimeField()))
        Tag.objects.filter(pk=unit.pk).update(error=str(error)[:1000], due_at=again)
        return {}


def _gather(into: dict[str, set[int]], more: Mapping[str, Collection[int]]) -> None:
    for cause, people in more.items():
        into.setdefault(cause, set()).update(people)
