"""Tags from rule trees; an exclusive group is one computation of its rules."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from segments.models import Tag
from segments.rules.nodes import Touched
from segments.selectors.tag_rules import RuleTag
from segments.services.tags.writing import Sql, sql_of

_ONE = """
    SELECT subject_id AS profile_id, {place} AS place, %(tag{place})s::bigint AS tag_id,
           %(weight{place})s::float8 AS weight, %(confidence{place})s::numeric(4, 3) AS confidence
    FROM ({people}) found{place} (subject_id)
"""
_NOBODY = "SELECT 0::bigint AS profile_id, 0::bigint AS tag_id, 0::float8 AS weight, 0.0 AS confidence LIMIT 0"
_ALL = """
    SELECT {first_of_each} profile_id, tag_id, weight, NULL::timestamptz AS weighed_at, confidence,
           %(expires)s::timestamptz AS expires_at, NULL::jsonb AS evidence
    FROM ({every}) every {in_order}
"""


def wanted(unit: Tag, rules: list[RuleTag], now: datetime, only: Collection[int] | None) -> Sql:
    """The people for whom each rule holds; in a group only the first rule that does."""
    parts: list[str] = []
    params: dict[str, Any] = {"expires": expiry(unit, now)}
    for place, item in enumerate(rules):
        people = sql_of(item.rule.queryset(now, only), f"r{place}_")
        parts.append(_ONE.format(place=place, people=people.text))
        params |= people.params
        params |= {
            f"tag{place}": item.tag.pk,
            f"weight{place}": item.tag.given_weight,
            f"confidence{place}": item.tag.given_confidence,
        }
    several = len(parts) > 1
    text = _ALL.format(
        first_of_each="DISTINCT ON (profile_id)" if several else "",
        every=" UNION ALL ".join(parts) or _NOBODY,
        in_order="ORDER BY profile_id, place" if several else "",
    )
    return Sql(text, params)


def expiry(unit: Tag, now: datetime) -> datetime | None:
    """When a tag that is given or confirmed at `now` expires."""
    return None if unit.expires_after_days is None else now + timedelta(days=unit.expires_after_days)


def touched_by_clock(rules: list[RuleTag], since: datetime, now: datetime) -> Touched:
    """The people for whom time alone may have changed an answer; None: it cannot be told."""
    found: list[QuerySet[Any, int]] = []
    for item in rules:
        people = item.rule.touched_by_clock(since, now)
        if people is None:
            return None
        found += people
    return found
