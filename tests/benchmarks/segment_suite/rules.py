"""Twenty typical rules, each beside the SQL that an engineer would write by hand for the same question.

The SQL is for PostgreSQL and, but where `duck` says otherwise, for DuckDB as well. `$now` stands for the moment asked
about, `$today` for its day in the installation's zone.
"""

from dataclasses import dataclass
from datetime import datetime
from string import Template
from typing import Any

from django.utils import timezone


@dataclass(frozen=True)
class Case:
    """A rule tree and the same question in SQL, which gives ids of people, none twice."""

    key: str
    definition: dict[str, Any]
    sql: str
    duck: str = ""

    def postgres(self, now: datetime) -> str:
        """The question for PostgreSQL."""
        return _filled(self.sql, now)

    def duckdb(self, now: datetime) -> str:
        """The question for DuckDB."""
        return _filled(self.duck or self.sql, now)


def _filled(sql: str, now: datetime) -> str:
    today = now.astimezone(timezone.get_default_timezone()).date()
    return Template(sql).substitute(now=f"TIMESTAMPTZ '{now.isoformat()}'", today=f"DATE '{today}'")


def _bought(measure: str, op: str, value: object, days: int = 0, **more: object) -> dict[str, Any]:
    return _did("purchase", measure, op, value, days, **more)


def _did(name: str, measure: str, op: str, value: object, days: int = 0, **more: object) -> dict[str, Any]:
    window = {"window": {"days": days}} if days else {}
    return {"event": name, "measure": measure, "op": op, "value": value, **window, **more}


def _is(name: str, op: str, value: object) -> dict[str, Any]:
    return {"attribute": name, "op": op, "value": value}


def _tag(key: str, op: str = "has") -> dict[str, Any]:
    return {"tag": key, "op": op}


def _rfm(**least: int) -> dict[str, Any]:
    return {"all": [{"rfm": name, "op": "gte", "value": value} for name, value in least.items()]}


def within(days: int) -> str:
    """The rolling window of so many days, in SQL."""
    return f"occurred_at > $now - INTERVAL '{days} days' AND occurred_at <= $now"


TAGGED = """SELECT profile_id FROM segments_profiletag c JOIN segments_tag t ON t.id = c.tag_id
    WHERE t.key = '{key}' AND (expires_at IS NULL OR expires_at > $now)"""


PLAIN = [
    Case(
        "three-cities", _is("city", "in", ["Hangzhou", "Suzhou", "Ningbo"]),
        "SELECT subject_id FROM segments_profile WHERE city IN ('Hangzhou', 'Suzhou', 'Ningbo')",
    ),
    Case(
        "women-25-to-34",
        {"all": [_is("gender", "eq", "female"), _is("age", "gte", 25), _is("age", "lte", 34)]},
        """SELECT subject_id FROM segments_profile WHERE gender = 'female'
           AND birth_date <= $today - INTERVAL '25 years' AND birth_date > $today - INTERVAL '35 years'""",
    ),
    Case(
        "high-income", _is("attributes.income", "eq", "high"),
        """SELECT subject_id FROM segments_profile WHERE attributes @> '{"income": "high"}'""",
        duck="SELECT subject_id FROM segments_profile WHERE attributes ->> 'income' = 'high'",
    ),
    Case(
        "member-level-3", _is("attributes.level", "gte", 3),
        "SELECT subject_id FROM segments_profile WHERE (attributes ->> 'level')::int >= 3",
    ),
    Case(
        "two-orders-in-a-month", _bought("occasions", "gte", 2, 30),
        f"""SELECT profile_id FROM segments_event WHERE name = 'purchase' AND {within(30)}
            GROUP BY profile_id HAVING count(DISTINCT occurred_at) >= 2""",
    ),
    Case(
        "tea-for-300-in-a-quarter", _bought("sum", "gte", 300, 90, category="tea"),
        f"""SELECT profile_id FROM segments_event WHERE name = 'purchase' AND category = 'tea' AND {within(90)}
            GROUP BY profile_id HAVING sum(amount) >= 300""",
    ),
    Case(
        "browsers-who-do-not-buy",
        {"all": [_did("browse", "count", "gte", 5, 30), {"none": [_bought("count", "gte", 1, 30)]}]},
        f"""SELECT profile_id FROM segments_event WHERE name IN ('browse', 'purchase') AND {within(30)}
            GROUP BY profile_id
            HAVING count(*) FILTER (WHERE name = 'browse') >= 5 AND count(*) FILTER (WHERE name = 'purchase') = 0""",
    ),
    Case(
        "loyal",
        {"all": [
            {"stat": "order_count", "op": "gte", "value": 5}, {"stat": "order_amount", "op": "gte", "value": 1000},
        ]},
        "SELECT profile_id FROM segments_profilestats WHERE order_count >= 5 AND order_amount >= 1000",
    ),
    Case(
        "champions", _rfm(recency=4, frequency=4, monetary=4),
        """SELECT profile_id FROM segments_profilestats
           WHERE rfm_recency >= 4 AND rfm_frequency >= 4 AND rfm_monetary >= 4""",
    ),
    Case(
        "dormant-half-a-year", {"stat": "last_order_at", "op": "lt", "value": {"days_ago": 180}},
        "SELECT profile_id FROM segments_profilestats WHERE last_order_at < $now - INTERVAL '180 days'",
    ),
    Case("vip", _tag("vip"), TAGGED.format(key="vip")),
    Case(
        "tea-lovers-at-full-price",
        {"all": [_tag("tea_lover"), {"none": [_tag("price_sensitive"), _tag("coupon_user")]}]},
        f"""{TAGGED.format(key="tea_lover")} AND NOT EXISTS (
                SELECT FROM segments_profiletag o JOIN segments_tag u ON u.id = o.tag_id
                WHERE o.profile_id = c.profile_id AND u.key IN ('price_sensitive', 'coupon_user')
                  AND (o.expires_at IS NULL OR o.expires_at > $now))""",
        duck=f"""{TAGGED.format(key="tea_lover")} AND profile_id NOT IN (
                SELECT o.profile_id FROM segments_profiletag o JOIN segments_tag u ON u.id = o.tag_id
                WHERE u.key IN ('price_sensitive', 'coupon_user') AND (o.expires_at IS NULL OR o.expires_at > $now))""",
    ),
    Case(
        "good-customers-nearby",
        {"all": [
            {"any": [_is("city", "in", ["Hangzhou", "Ningbo"]), _tag("vip")]},
            _bought("sum", "gte", 300, 90),
            {"none": [{"rfm": "recency", "op": "lte", "value": 2}]},
        ]},
        f"""SELECT subject_id FROM segments_profile p
            JOIN (SELECT profile_id FROM segments_event WHERE name = 'purchase' AND {within(90)}
                  GROUP BY profile_id HAVING sum(amount) >= 300) e ON e.profile_id = p.subject_id
            JOIN segments_profilestats s ON s.profile_id = p.subject_id
            WHERE (s.rfm_recency > 2 OR s.rfm_recency IS NULL)
              AND (city IN ('Hangzhou', 'Ningbo') OR subject_id IN ({TAGGED.format(key="vip")}))""",
    ),
    Case(
        "browse-on-five-days", _did("browse", "distinct_days", "gte", 5, 30),
        f"""SELECT profile_id FROM segments_event WHERE name = 'browse' AND {within(30)}
            GROUP BY profile_id HAVING count(DISTINCT (occurred_at AT TIME ZONE 'Asia/Shanghai')::date) >= 5""",
    ),
    Case(
        "big-baskets-this-year", {"all": [_bought("average", "gte", 60, 365), _bought("count", "gte", 3, 365)]},
        f"""SELECT profile_id FROM segments_event WHERE name = 'purchase' AND {within(365)}
            GROUP BY profile_id HAVING avg(amount) >= 60 AND count(*) >= 3""",
    ),
]  # fmt: skip
