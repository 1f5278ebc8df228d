"""The shape of the SQL: what keeps rules fast on a million people."""

from typing import Any

import pytest

from segments.rules import Compilation, Dependencies, Node, Predicate, parse, register, registry
from tests.segments.rules.world import NOW, Person, store

RECENT = {"window": {"days": 30}}
BUSY = {"event": "browse", "op": "gte", "value": 3, **RECENT}
SPENT = {"event": "browse", "measure": "sum", "op": "gte", "value": 50, **RECENT}
VIP = {"tag": "vip", "op": "has"}
DEEP = {"any": [VIP, {"none": [BUSY, {"all": [SPENT, {"rfm": "recency", "op": "gte", "value": 2}]}]}]}


def sql_of(tree: dict[str, Any], only: list[int] | None = None) -> str:
    return str(parse(tree).queryset(NOW, only=only).query)


def test_conditions_on_the_same_events_share_one_pass() -> None:
    assert sql_of(DEEP).count('FROM "segments_event"') == 1
    later = {**SPENT, "window": {"days": 7}}
    assert sql_of({"all": [BUSY, SPENT, later]}).count('FROM "segments_event"') == 2


def test_conditions_with_the_same_filters_share_one_pass_and_others_do_not() -> None:
    red, big = {"property": "color", "op": "eq", "value": "red"}, {"property": "size", "op": "gt", "value": 4}
    tastes = {**BUSY, "measure": "distinct", "of": "category", "where": [big, red]}
    shops, colors = ({**tastes, "of": f"properties.{name}"} for name in ("shop", "color"))
    same = sql_of({"all": [{**BUSY, "where": [red, big]}, tastes, shops, colors]})
    assert same.count('FROM "segments_event"') == 1
    assert same.count("COUNT(DISTINCT") == 3
    assert sql_of({"all": [BUSY, {**BUSY, "where": [red]}, tastes]}).count('FROM "segments_event"') == 3
    assert "@>" in same, "what an index could answer"


def test_all_purchases_are_read_from_the_statistics() -> None:
    spent = {"event": "purchase", "measure": "sum", "op": "gte", "value": 300}
    assert "segments_event" not in sql_of(spent)
    assert "segments_event" in sql_of({**spent, "category": "tea"})
    assert "segments_event" in sql_of({**spent, "where": [{"property": "color", "op": "is_set"}]})
    assert "segments_event" in sql_of({**spent, "measure": "count"}), "lines are not orders"


def test_only_reaches_every_subquery() -> None:
    assert sql_of(DEEP, only=[1, 2]).count("= ANY(") == 3


@pytest.mark.django_db
def test_no_plan_asks_a_subquery_once_per_person() -> None:
    store([Person()])
    plan = parse(DEEP).queryset(NOW).explain()
    assert "SubPlan" not in plan


@pytest.mark.django_db
def test_only_nobody_is_nobody() -> None:
    store([Person()])
    assert not parse({"all": []}).queryset(NOW, only=[]).exists()
    assert parse({"all": []}).queryset(NOW).exists()


class InShanghai(Node):
    """A condition as another app would bring it, on rows whose person has another name."""

    def compile(self, compilation: Compilation) -> Predicate:
        from django.db.models import lookups

        from segments.models import Profile

        there = Profile.objects.filter(city="Shanghai")
        return lookups.IsNull(compilation.joined("in shanghai", there, person="subject_id"), False)

    def describe(self) -> str:
        return "lives in Shanghai"

    def depends_on(self) -> Dependencies:
        return Dependencies(attributes=frozenset({"city"}))

    def to_json(self) -> dict[str, Any]:
        return {"in_shanghai": True}


@pytest.mark.django_db
def test_a_kind_registered_by_another_app_is_compiled_like_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_parsers", dict(registry._parsers))
    register("in_shanghai", lambda definition, path: InShanghai())
    _, there = store([Person(city="Beijing"), Person(city="Shanghai")])
    rule = parse({"none": [{"none": [{"in_shanghai": True}]}]})
    assert list(rule.queryset(NOW)) == [there]
    assert rule.describe() == "Not (not (lives in Shanghai))"
