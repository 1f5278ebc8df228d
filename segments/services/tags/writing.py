"""Bringing the tags that people carry into line with what a computation wants, in one statement for everybody.

A computation is a SELECT of (profile_id, tag_id, weight, weighed_at, confidence, expires_at, evidence). Rows that are
as wanted are not written; rows that came from outside (`is_given`) are left alone; nobody gets a tag from which they
are excluded. In an exclusive group a person's row is changed in place, so there is never a moment with two.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from segments import causes
from segments.models import Tag
from segments.services import touches

LOCK_NAMESPACE = 0x54414700
"""The first key of the advisory locks that keep two computations of one definition apart; the second is its id."""


@dataclass(frozen=True)
class Sql:
    """A piece of SQL with its named parameters."""

    text: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """How many people were given a tag, how many lost one, and the people by cause where they were asked for."""

    given: int = 0
    taken: int = 0
    by_cause: dict[str, set[int]] = field(default_factory=dict)


def lock(tag_id: int) -> None:
    """Wait until nobody else computes the definition; until the transaction ends, nobody will."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_NAMESPACE, tag_id])


def try_lock(tag_id: int) -> bool:
    """As `lock`, but False instead of waiting."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [LOCK_NAMESPACE, tag_id])
        return bool(cursor.fetchone()[0])


def sql_of(query: "QuerySet[Any, Any]", prefix: str) -> Sql:
    """A QuerySet's SQL with its parameters named `prefix`0, `prefix`1 ..., to stand inside another statement."""
    text, values = query.query.sql_with_params()
    params = {f"{prefix}{index}": value for index, value in enumerate(values)}
    names = iter(params)
    return Sql(re.sub(r"%(s|%)", lambda found: "%%" if found[1] == "%" else f"%({next(names)})s", text), params)


# `changed` is what of the wanted differs from what is there: matched by person and tag, in an exclusive group by person
# and group. Weights are sums of floating-point numbers, so they are compared to nine digits.
_EXCHANGE = """
    WITH wanted AS MATERIALIZED ({wanted}), {first}
    allowed AS MATERIALIZED (
        SELECT * FROM wanted w WHERE NOT EXISTS (
            SELECT FROM segments_tagexclusion x
            WHERE x.profile_id = w.profile_id AND x.tag_id IN (w.tag_id, %(definition)s)
        )
    ), changed AS MATERIALIZED (
        SELECT w.*, p.tag_id AS former_tag, p.id IS NULL OR p.tag_id <> w.tag_id OR {expired} AS is_new,
               p.id IS NULL OR p.tag_id <> w.tag_id OR {expired} OR {reweighed} AS is_told
        FROM allowed w LEFT JOIN segments_profiletag p ON p.profile_id = w.profile_id AND {match}
        WHERE p.id IS NULL OR NOT p.is_given AND (
            p.tag_id <> w.tag_id OR {reweighed} OR p.confidence IS DISTINCT FROM w.confidence
            OR p.evidence IS DISTINCT FROM w.evidence OR {overdue} OR p.source <> %(source)s
        )
    ), gone AS (
        DELETE FROM segments_profiletag p
        WHERE p.tag_id = ANY(%(scope)s) AND NOT p.is_given AND {about_p}
          AND NOT EXISTS (SELECT FROM allowed w WHERE w.profile_id = p.profile_id AND {match})
        RETURNING p.profile_id, p.tag_id
    ), written AS (
        INSERT INTO segments_profiletag AS p (
            profile_id, tag_id, group_id, weight, weighed_at, confidence, expires_at, evidence, source, is_given,
            assigned_at
        )
        SELECT profile_id, tag_id, %(group)s, weight, weighed_at, confidence, expires_at, evidence, %(source)s, false,
               %(now)s
        FROM changed ORDER BY profile_id, tag_id
        ON CONFLICT {arbiter} DO UPDATE SET
            tag_id = EXCLUDED.tag_id, weight = EXCLUDED.weight, weighed_at = EXCLUDED.weighed_at,
            confidence = EXCLUDED.confidence, expires_at = EXCLUDED.expires_at, evidence = EXCLUDED.evidence,
            source = EXCLUDED.source,
            assigned_at = CASE WHEN p.tag_id = EXCLUDED.tag_id THEN p.assigned_at ELSE EXCLUDED.assigned_at END
        WHERE NOT p.is_given
        RETURNING p.profile_id
    ), told AS (
        SELECT profile_id, tag_id FROM changed WHERE is_told
        UNION ALL SELECT profile_id, former_tag FROM changed WHERE former_tag <> tag_id
        UNION ALL SELECT profile_id, tag_id FROM gone
    )
"""
_TOUCH = """
    , touched AS (
        INSERT INTO segments_touch (profile_id, cause, touched_at)
        SELECT told.profile_id, 'tag:' || tag.key, %(now)s FROM told JOIN segments_tag tag ON tag.id = told.tag_id
        WHERE (SELECT count(*) FROM told) <= %(vast)s
        UNION ALL
        SELECT DISTINCT NULL::bigint, 'tag:' || tag.key, %(now)s::timestamptz
        FROM told JOIN segments_tag tag ON tag.id = told.tag_id WHERE (SELECT count(*) FROM told) > %(vast)s
    )
"""
_COUNT = """
    SELECT (SELECT count(*) FROM changed WHERE is_new), (SELECT count(*) FROM gone), (SELECT count(*) FROM written)
"""
_TELL = "SELECT told.profile_id, tag.key FROM told JOIN segments_tag tag ON tag.id = told.tag_id"


@dataclass(frozen=True)
class Scope:
    """What a computation decides about: the tags it may give and take, and for whom (`only`; None: everybody)."""

    definition: Tag
    tag_ids: Sequence[int]
    source: str
    only: Collection[int] | None = None
    is_weight_fading: bool = False

    @property
    def about(self) -> Sql:
        """A condition on `{table}.profile_id`, to be formatted with the table's alias."""
        if self.only is None:
            return Sql("true")
        return Sql("{0}.profile_id = ANY(%(only)s)", {"only": sorted(self.only)})


def exchange(*, scope: Scope, wanted: Sql, now: datetime, touch: bool, first: str = "") -> Changes:
    """Give and take the difference, with touches of the people concerned when `touch`. Computes for everybody.

    `first` is a further part of the WITH clause, ending with a comma, that happens in the same snapshot.
    """
    text, params = _statement(scope, wanted, now, first)
    with connection.cursor() as cursor:
        # The planner cannot know how many people a rule will find. Taking them for few, it would go through all of them
        # for each (a loop, or a merge by tag alone); for everybody, joining by hash is never far from the best.
        cursor.execute("SET LOCAL enable_nestloop = off; SET LOCAL enable_mergejoin = off")
        cursor.execute(text + (_TOUCH if touch else "") + _COUNT, params)
        given, taken, _ = cursor.fetchone()
        cursor.execute("SET LOCAL enable_nestloop = on; SET LOCAL enable_mergejoin = on")
    return Changes(given, taken)


def exchange_some(*, scope: Scope, wanted: Sql, now: datetime, first: str = "") -> dict[str, set[int]]:
    """As `exchange` for the few people of `scope.only`; returns the people by cause instead of touching them."""
    text, params = _statement(scope, wanted, now, first)
    changed: dict[str, set[int]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(text + _TELL, params)
        for profile_id, key in cursor.fetchall():
            changed[causes.tag(key)].add(profile_id)
    return dict(changed)


def _statement(scope: Scope, wanted: Sql, now: datetime, first: str) -> tuple[str, dict[str, Any]]:
    definition = scope.definition
    exclusive = definition.is_exclusive
    text = _EXCHANGE.format(
        wanted=wanted.text,
        first=first,
        match="p.group_id = %(group)s" if exclusive else "p.tag_id = w.tag_id",
        arbiter="(profile_id, group_id) WHERE group_id IS NOT NULL" if exclusive else "(profile_id, tag_id)",
        expired="coalesce(p.expires_at <= %(now)s, false)",
        reweighed="(abs(p.weight - w.weight) > 1e-9 * w.weight OR p.weighed_at IS DISTINCT FROM w.weighed_at)",
        overdue=_overdue(scope),
        about_p=scope.about.text.format("p"),
    )
    renewal = definition.expires_after_days
    params = {
        **wanted.params, **scope.about.params, "now": now, "source": scope.source, "definition": definition.pk,
        "group": definition.pk if exclusive else None, "scope": list(scope.tag_ids),
        "half_days": None if renewal is None else renewal / 2, "vast": touches.VAST,
    }  # fmt: skip
    return text, params


def _overdue(scope: Scope) -> str:
    """When the time of expiry is written anew: if fading gives another; else if less than half of the term is left."""
    if scope.is_weight_fading:
        return "coalesce(abs(extract(epoch FROM p.expires_at - w.expires_at)) > 1, true)"
    return (
        "((p.expires_at IS NULL) <> (w.expires_at IS NULL) OR p.expires_at > w.expires_at"
        " OR p.expires_at < %(now)s + make_interval(secs => 86400 * %(half_days)s::float8))"
    )
