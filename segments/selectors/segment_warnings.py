"""What deserves a second look at a segment, or at a rule that is not saved yet. Warnings forbid nothing.

| code | when | setting, default |
|---|---|---|
| `empty` | nobody is in it | |
| `too_small` | fewer people: results say little, and single people can be recognised | `HEED_SEGMENT_SMALL`, 30 |
| `everybody` | more than this part of all people: it selects nobody | `HEED_SEGMENT_EVERYBODY`, 0.95 |
| `too_complex` | more conditions, filters on properties included | `HEED_SEGMENT_CONDITIONS`, 20 |
| | more levels of groups | `HEED_SEGMENT_DEPTH`, 5 |
| | a higher cost by EXPLAIN, in the units of the planner | `HEED_SEGMENT_COST`, 5,000,000 |
| `near_duplicate` | another active segment has nearly the same members (Jaccard index) | `HEED_SEGMENT_ALIKE`, 0.9 |
| `same_rule` | another active segment follows the same rule (RFC 8785 form) | |
| `unused` | older, and nothing asks for it (`segment_usage`) | `HEED_SEGMENT_UNUSED_DAYS`, 90 |
| `stale` | dynamic, and checked longer ago | `HEED_SEGMENT_STALE_MINUTES`, 60 |
| `sudden_change` | its size is far from that of the week before (`segment_sizes`) | |

Of an inactive segment only what is true of its members and rule is said.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from segments import causes
from segments.models import Profile, Segment, SegmentKind
from segments.rules import Rule, RuleError, parse
from segments.rules.nodes import Group, Node
from segments.selectors import segment_sizes, segment_twins, segment_usage, tag_dependencies
from segments.selectors.limited import StoppedError
from segments.selectors.segment_sizes import SuddenChange

LABELS = {
    "empty": gettext_lazy("empty"),
    "too_small": gettext_lazy("too small"),
    "everybody": gettext_lazy("nearly everybody"),
    "too_complex": gettext_lazy("too complex"),
    "near_duplicate": gettext_lazy("nearly the same as another"),
    "same_rule": gettext_lazy("same rule as another"),
    "unused": gettext_lazy("unused"),
    "stale": gettext_lazy("stale"),
    "sudden_change": gettext_lazy("sudden change"),
}
"""Each code in a few words."""


@dataclass(frozen=True)
class SegmentWarning:
    """A code of `LABELS`, and a sentence in the active language."""

    code: str
    message: str


def of_rule(rule: Rule, *, count: int | None, now: datetime, key: str = "") -> list[SegmentWarning]:
    """The warnings for a rule that is not saved, of the segment called `key` if it has one already.

    `count` is how many people it matches, None when counting took too long.
    """
    found = [*_of_shape(rule.root), *_of_cost(rule, now), *_same_rule(segment_twins.same_rule(rule.to_json(), key))]
    if count is None:
        return found
    try:
        alike = segment_twins.alike_rule(rule, count, key, now) if count else []
    except StoppedError:
        alike = []
    return [*_of_size(count, _everybody()), *found, *_alike(alike)]


def of_segment(segment: Segment, now: datetime) -> list[SegmentWarning]:
    """The warnings for a segment, by its stored members."""
    found = [] if segment.refreshed_at is None else _of_size(segment.member_count, _everybody())
    rule = _rule(segment)
    if rule:
        found += [*_of_shape(rule.root), *_of_cost(rule, now)]
    if not segment.is_active:
        return found
    if rule and segment.kind == SegmentKind.DYNAMIC:
        found += _same_rule(segment_twins.same_rule(segment.definition, segment.key))
    with suppress(StoppedError):
        found += _alike(segment_twins.alike(segment) if segment.member_count else [])
    found += _unused(segment, now) if not segment_usage.users_of(segment) else []
    sudden = segment_sizes.sudden_changes([segment.pk]).get(segment.pk)
    return [*found, *_stale(segment, now), *_sudden(sudden)]


def of_all(now: datetime) -> dict[int, list[SegmentWarning]]:
    """The warnings for each segment by id, but for the estimated cost: a few statements for all of them together.

    Near-duplicates may be ten minutes old.
    """
    segments = list(Segment.objects.order_by("pk"))
    active = [segment for segment in segments if segment.is_active]
    everybody = _everybody()
    alike = segment_twins.all_alike()
    asked_for = set().union(*tag_dependencies.graph().values())
    sudden = segment_sizes.sudden_changes([segment.pk for segment in active])
    same = _same_rules([segment for segment in active if segment.kind == SegmentKind.DYNAMIC])
    found: dict[int, list[SegmentWarning]] = {}
    for segment in segments:
        rule = _rule(segment)
        mine = [] if segment.refreshed_at is None else _of_size(segment.member_count, everybody)
        mine += _of_shape(rule.root) if rule else []
        if segment.is_active:
            mine += [*_same_rule(same.get(segment.pk, [])), *_alike(alike.get(segment.pk, []))]
            used = causes.segment(segment.key) in asked_for
            mine += _unused(segment, now) if not used and not segment_usage.users_in_apps(segment) else []
            mine += [*_stale(segment, now), *_sudden(sudden.get(segment.pk))]
        found[segment.pk] = mine
    return found


def _everybody() -> int:
    return Profile.objects.filter(merged_into__isnull=True).count()


def _rule(segment: Segment) -> Rule | None:
    """None for a list of people, and for a rule that cannot be read any more."""
    try:
        return parse(segment.definition) if segment_twins.has_rule(segment) else None
    except RuleError:
        return None


def _of_size(count: int, everybody: int) -> list[SegmentWarning]:
    if count == 0:
        return [SegmentWarning("empty", _("Nobody is in it."))]
    found = []
    if count < settings.SEGMENT_SMALL:
        text = ngettext(
            "Only %(count)s person: results say little, and single people can be recognised.",
            "Only %(count)s people: results say little, and single people can be recognised.",
            count,
        )
        found.append(SegmentWarning("too_small", text % {"count": count}))
    if count > settings.SEGMENT_EVERYBODY * everybody:
        share = min(100, 100 * count // everybody) if everybody else 100
        text = _("%(share)d %% of all people are in it: it selects nobody.")
        found.append(SegmentWarning("everybody", text % {"share": share}))
    return found


def _of_shape(root: Node) -> Iterator[SegmentWarning]:
    conditions, depth = root.size, _depth(root)
    if conditions > settings.SEGMENT_CONDITIONS:
        text = _("%(count)d conditions are hard to understand; more than %(most)d are too many.")
        yield SegmentWarning("too_complex", text % {"count": conditions, "most": settings.SEGMENT_CONDITIONS})
    if depth > settings.SEGMENT_DEPTH:
        text = _("Groups are nested %(depth)d levels deep; more than %(most)d are hard to understand.")
        yield SegmentWarning("too_complex", text % {"depth": depth, "most": settings.SEGMENT_DEPTH})


def _depth(node: Node) -> int:
    """The levels of groups in a tree."""
    return 1 + max(map(_depth, node.children), default=0) if isinstance(node, Group) else 0


def _of_cost(rule: Rule, now: datetime) -> Iterator[SegmentWarning]:
    if estimated_cost(rule, now) > settings.SEGMENT_COST:
        yield SegmentWarning("too_complex", _("Finding its members is estimated to take the database very long."))


def estimated_cost(rule: Rule, now: datetime) -> float:
    """What PostgreSQL's planner expects finding the people to cost, in its units: a page read in sequence is 1."""
    sql, params = rule.queryset(now).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        ((plan,),) = cursor.fetchall()
    return float(plan[0]["Plan"]["Total Cost"])


def _same_rules(segments: Sequence[Segment]) -> dict[int, list[str]]:
    """The names of the others with the same rule, by id of the segment."""
    by_rule: dict[bytes, list[Segment]] = {}
    for segment in segments:
        by_rule.setdefault(segment_twins.canonical(segment.definition), []).append(segment)
    return {
        segment.pk: [other.name for other in group if other != segment]
        for group in by_rule.values()
        for segment in group
    }


def _same_rule(names: Sequence[str]) -> list[SegmentWarning]:
    text = _("The same rule as: %(names)s")
    return [SegmentWarning("same_rule", text % {"names": ", ".join(names)})] if names else []


def _alike(names: Sequence[str]) -> list[SegmentWarning]:
    text = _("Nearly the same people as: %(names)s")
    return [SegmentWarning("near_duplicate", text % {"names": ", ".join(sorted(names))})] if names else []


def _unused(segment: Segment, now: datetime) -> list[SegmentWarning]:
    if segment.created_at > now - timedelta(days=settings.SEGMENT_UNUSED_DAYS):
        return []
    text = _("No campaign in progress, frequency cap, tag or segment asks for it, and it is over %(days)d days old.")
    return [SegmentWarning("unused", text % {"days": settings.SEGMENT_UNUSED_DAYS})]


def _stale(segment: Segment, now: datetime) -> list[SegmentWarning]:
    since = segment.checked_at or segment.refreshed_at or segment.created_at
    if segment.kind != SegmentKind.DYNAMIC or since >= now - timedelta(minutes=settings.SEGMENT_STALE_MINUTES):
        return []
    text = _("Its members have not been refreshed for over %(minutes)d minutes.")
    return [SegmentWarning("stale", text % {"minutes": settings.SEGMENT_STALE_MINUTES})]


def _sudden(change: SuddenChange | None) -> list[SegmentWarning]:
    if change is None:
        return []
    text = _("%(members)s people, where %(usual)s were usual in the week before.")
    shown = {"members": _number(change.members), "usual": _number(round(change.usual))}
    return [SegmentWarning("sudden_change", text % shown)]


def _number(value: int) -> str:
    return number_format(value, use_l10n=True, force_grouping=True)
