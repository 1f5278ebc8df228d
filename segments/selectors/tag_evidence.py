"""Why a person carries a tag: a plain sentence and figures."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, Max
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format, number_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from segments.models import Event, Measure, ProfileTag, TagKind
from segments.rules import Rule, RuleError
from segments.rules.nodes import Group, Node
from segments.selectors import tag_rules

DECIMALS = 3


@dataclass(frozen=True)
class Figure:
    """One fact behind a tag: what, and how much or whether it holds."""

    label: str
    value: str


@dataclass(frozen=True)
class Evidence:
    """Why somebody carries a tag."""

    sentence: str
    figures: list[Figure] = field(default_factory=list)


def evidence(row: ProfileTag, now: datetime) -> Evidence:
    """Why the person of `row` carries its tag, in the active language.

    A tag by rule is explained by the rule as it stands, each condition with its answer at `now`: when one no longer
    holds, the tag goes with the next computation.
    """
    if row.is_given:
        return _given(row)
    kind = row.tag.parent.kind if row.tag.kind == TagKind.CATEGORY and row.tag.parent else row.tag.kind
    explain = _EXPLAIN.get(TagKind(kind))
    return explain(row, now) if explain else _given(row)


def _given(row: ProfileTag) -> Evidence:
    stored = row.evidence if isinstance(row.evidence, dict) else {}
    figures = [Figure(str(name), str(value)) for name, value in stored.items()]
    what = {TagKind.IMPORT: _("Imported: %(source)s."), TagKind.MODEL: _("Found by a model: %(source)s.")}
    sentence = what.get(TagKind(row.tag.kind), _("Given by %(source)s."))
    return Evidence(sentence % {"source": row.source}, figures)


def _by_rule(row: ProfileTag, now: datetime) -> Evidence:
    try:
        rule = tag_rules.rule_of(row.tag)
    except RuleError as error:
        return Evidence(_("The rule cannot be read: %(error)s") % {"error": error})
    figures = []
    for leaf in _leaves(rule.root):
        holds = Rule(leaf).queryset(now, only=[row.profile_id]).exists()
        figures.append(Figure(Rule(leaf).describe(), _("yes") if holds else _("no")))
    sentence = _("By rule: %(rule)s.") % {"rule": rule.describe()}
    if row.group_id is not None and row.tag.position:
        sentence += " " + _("No earlier rule of the group held.")
    return Evidence(sentence, figures)


def _by_aggregate(row: ProfileTag, now: datetime) -> Evidence:
    definition = row.tag.parent if row.tag.kind == TagKind.CATEGORY and row.tag.parent else row.tag
    stored = row.evidence or {}
    measure = Measure(definition.measure).label
    events = _("“%(event)s” events") % {"event": definition.event_name}
    if definition.window_days is not None:
        events = _("“%(event)s” events in the last %(days)d days") % {
            "event": definition.event_name, "days": definition.window_days,
        }  # fmt: skip
    figures = [Figure(str(measure), _number(stored.get("figure", row.weight)))]
    if "category" in stored:
        figures.append(Figure(_("of all categories"), _number(stored.get("of", 0))))
    last = parse_datetime(stored.get("last", ""))
    if last is not None:
        figures.append(Figure(_("last event"), _moment(last)))
    if row.tag.kind == TagKind.CATEGORY:
        told = {"measure": measure, "events": events, "category": row.tag.category, "figure": figures[0].value}
        return Evidence(_("%(measure)s over %(events)s in category “%(category)s”: %(figure)s.") % told, figures)
    told = {"measure": measure, "events": events, "figure": figures[0].value}
    return Evidence(_("%(measure)s over %(events)s: %(figure)s.") % told, figures)


def _by_interest(row: ProfileTag, now: datetime) -> Evidence:
    definition = row.tag.parent
    if definition is None or definition.half_life_days is None:
        return _given(row)
    gains = {gain.event_name: gain.gain for gain in definition.gains.all()}
    since = now - timedelta(days=min(60 * definition.half_life_days, 36_500))
    events = Event.objects.filter(
        profile=row.profile_id, name__in=gains, category=row.tag.category, occurred_at__gt=since
    )
    figures = [
        Figure(
            _("“%(event)s”, each adds %(gain)s") % {"event": name, "gain": _number(float(gains[name]))},
            _("%(count)d, the last on %(moment)s") % {"count": count, "moment": _moment(last)},
        )
        for name, count, last in events.order_by("name").values_list("name").annotate(Count("pk"), Max("occurred_at"))
    ]
    told = {"category": row.tag.category, "days": _number(definition.half_life_days)}
    sentence = _("Showed interest in “%(category)s”; the weight halves every %(days)s days.") % told
    return Evidence(sentence, figures)


_EXPLAIN: dict[TagKind, Callable[[ProfileTag, datetime], Evidence]] = {
    TagKind.RULE: _by_rule,
    TagKind.AGGREGATE: _by_aggregate,
    TagKind.INTEREST: _by_interest,
}


def _leaves(node: Node) -> list[Node]:
    if not isinstance(node, Group):
        return [node]
    return [leaf for child in node.children for leaf in _leaves(child)]


def _number(value: float) -> str:
    shown = f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return number_format(Decimal(shown), use_l10n=True)


def _moment(moment: datetime) -> str:
    return date_format(localtime(moment), "DATETIME_FORMAT")
