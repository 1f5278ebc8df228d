"""What definitions may be: a tree, rules that go in no circle, fields that fit the kind."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from compliance.models import AuditLeaf
from segments.models import ProfileTag, Segment, Tag, TagGain, TagKind, TagParameter
from segments.selectors import tag_dependencies
from segments.services.tags import assignment, definitions
from segments.services.tags.assignment import Given
from tests.segments.tags.stage import ACTOR, carried, define, person

pytestmark = pytest.mark.django_db

EVERYBODY: dict[str, Any] = {"all": []}


def change(tag: Tag, now: datetime, **fields: Any) -> Tag:
    return definitions.change(tag=tag, fields=fields, actor=ACTOR, now=now)


def has(key: str) -> dict[str, str]:
    return {"tag": key, "op": "has"}


def test_a_circle_of_parents_is_refused_by_name(now: datetime) -> None:
    top = define("top", "group", now)
    middle = define("middle", "group", now, parent=top)
    low = define("low", "group", now, parent=middle)
    with pytest.raises(ValidationError) as caught:
        change(top, now, parent=low)
    assert "top → low → middle → top" in caught.value.message_dict["parent"][0]


def test_the_tree_has_a_depth(now: datetime) -> None:
    parent = None
    for level in range(5):
        parent = define(f"level-{level}", "group", now, parent=parent)
    with pytest.raises(ValidationError, match="5 levels"):
        define("deeper", "group", now, parent=parent)


def test_paths_follow_a_moved_branch(now: datetime) -> None:
    first, second = define("a", "group", now), define("b", "group", now)
    branch = define("branch", "group", now, parent=first)
    define("leaf", "manual", now, parent=branch)
    assert [tag.key for tag in Tag.objects.in_tree_order()] == ["a", "branch", "leaf", "b"]
    change(branch, now, parent=second)
    assert [tag.key for tag in Tag.objects.in_tree_order()] == ["a", "b", "branch", "leaf"]


def test_a_circle_of_rules_is_refused_by_name_even_through_a_segment(now: datetime) -> None:
    first = define("first", "rule", now, rule=EVERYBODY, rhythm="daily")
    define("second", "rule", now, rule=has("first"), rhythm="daily")
    with pytest.raises(ValidationError) as caught:
        change(first, now, rule=has("second"))
    assert "tag:first → tag:second → tag:first" in caught.value.message_dict["rule"][0]
    with pytest.raises(ValidationError, match="tag:first → tag:first"):
        change(first, now, rule=has("first"))
    edges = {"tag:a": ["segment:b"], "segment:b": ["tag:c", "tag:a"], "tag:c": []}
    assert tag_dependencies.circle("tag:a", edges) == ["tag:a", "segment:b", "tag:a"]
    assert tag_dependencies.circle("tag:c", edges) == []


def test_a_tag_of_an_exclusive_group_does_not_ask_for_its_sibling(now: datetime) -> None:
    group = define("home", "group", now, is_exclusive=True, rhythm="daily")
    define("home-a", "rule", now, rule=EVERYBODY, parent=group)
    with pytest.raises(ValidationError, match="home-a"):
        define("home-b", "rule", now, rule=has("home-a"), parent=group)


@pytest.mark.parametrize(
    ("field", "kind", "fields"),
    [
        ("rule", "rule", {"rhythm": "daily"}),
        ("rule", "rule", {"rhythm": "daily", "rule": {"gone": 1}}),
        ("rule", "rule", {"rhythm": "daily", "rule": has("unheard-of")}),
        ("rule", "rule", {"rhythm": "daily", "rule": {"rfm": "recency", "op": "gte", "value": {"parameter": "x"}}}),
        ("rule", "manual", {"rule": EVERYBODY}),
        ("rhythm", "rule", {"rule": EVERYBODY}),
        ("crontab", "rule", {"rule": EVERYBODY, "rhythm": "crontab"}),
        ("measure", "aggregate", {"rhythm": "daily", "event_name": "purchase", "output": "weight"}),
        ("half_life_days", "interest", {"rhythm": "at_once", "floor": 0.1}),
        ("floor", "interest", {"rhythm": "at_once", "half_life_days": 3.0}),
        ("given_weight", "manual", {"given_weight": 0}),
        ("key", "manual", {"key": "no key"}),
    ],
)
def test_what_does_not_fit_is_refused_by_field(field: str, kind: str, fields: dict[str, Any], now: datetime) -> None:
    with pytest.raises(ValidationError) as caught:
        define(**{"key": "new", "kind": kind, "now": now, **fields})
    assert field in caught.value.message_dict
    assert not Tag.objects.exists()


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [
        ("tag_of_category_has_parent_and_category", {"kind": "category"}),
        ("tag_rule_if_computed_by_rule", {"kind": "rule"}),
        ("tag_rule_if_computed_by_rule", {"kind": "manual", "rule": EVERYBODY}),
        ("tag_aggregate_says_what", {"kind": "aggregate", "event_name": "purchase", "output": "weight"}),
        ("tag_interest_decays", {"kind": "interest", "half_life_days": 3.0}),
        ("tag_half_life_and_floor_positive", {"half_life_days": 0.0}),
        ("tag_exclusive_if_group_or_top_category", {"is_exclusive": True}),
        ("tag_crontab_if_rhythm_is_crontab", {"rhythm": "crontab"}),
        ("tag_given_figures_in_range", {"given_confidence": Decimal("1.5")}),
    ],
)
def test_the_database_refuses_what_does_not_fit(constraint: str, fields: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Tag.objects.create(key="x", name="X", layer="static", **fields)


def test_the_database_refuses_doubles(now: datetime) -> None:
    interest = define("interest", "interest", now, half_life_days=3.0, floor=0.1, rhythm="at_once", gains={"view": 1})
    with pytest.raises(IntegrityError, match="tag_gain_unique"), transaction.atomic():
        TagGain.objects.create(tag=interest, event_name="view", gain=2)
    with pytest.raises(IntegrityError, match="tag_gain_positive"), transaction.atomic():
        TagGain.objects.create(tag=interest, event_name="click", gain=0)
    TagParameter.objects.create(tag=interest, name="days", value=1)
    with pytest.raises(IntegrityError, match="tag_parameter_unique"), transaction.atomic():
        TagParameter.objects.create(tag=interest, name="days", value=2)
    fields = {"name": "Tea", "layer": "dynamic", "kind": TagKind.CATEGORY, "parent": interest, "category": "tea"}
    Tag.objects.create(key="a", **fields)
    with pytest.raises(IntegrityError, match="tag_one_per_category"), transaction.atomic():
        Tag.objects.create(key="b", **fields)


def test_key_and_kind_never_change(now: datetime) -> None:
    tag = define("vip", "manual", now)
    with pytest.raises(ValidationError, match="any more"):
        change(tag, now, kind="import")


def test_a_group_that_becomes_exclusive_leaves_everybody_one_tag(now: datetime) -> None:
    group = define("home", "group", now)
    first = define("home-a", "manual", now, parent=group, position=1)
    second = define("home-b", "manual", now, parent=group, position=0)
    someone = person()
    for tag in (first, second):
        assignment.assign(tag=tag, given=Given(someone.pk), actor=ACTOR, now=now)
    change(group, now, is_exclusive=True, rhythm="daily")
    assert list(carried(someone, now)) == ["home-b"]
    assert ProfileTag.objects.get().group_id == group.pk
    change(group, now, is_exclusive=False)
    assert ProfileTag.objects.get().group_id is None


def test_a_definition_is_due_when_created_and_after_each_change(now: datetime) -> None:
    tag = define("all", "rule", now, rule=EVERYBODY, rhythm="daily")
    tag.refresh_from_db()
    assert tag.due_at == now
    Tag.objects.filter(pk=tag.pk).update(due_at=None)
    change(tag, now, name="Everybody")
    definitions.recompute(tag=tag, actor=ACTOR, now=now)
    tag.refresh_from_db()
    assert tag.due_at == now
    with pytest.raises(ValidationError, match="not computed"):
        definitions.recompute(tag=define("vip", "manual", now), actor=ACTOR, now=now)
    actions = list(AuditLeaf.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["tag.created", "tag.changed", "tag.recompute_asked", "tag.created"]


def test_the_order_of_computing_and_who_watches(now: datetime) -> None:
    late = define("late", "manual", now)
    base = define("z-base", "rule", now, rule=EVERYBODY, rhythm="daily")
    middle = define("m-middle", "rule", now, rule=has("z-base"), rhythm="daily")
    last = define("a-last", "rule", now, rule=has("m-middle"), rhythm="at_once")
    assert tag_dependencies.in_order([last, middle, base]) == [base, middle, last]
    assert not tag_dependencies.is_watched(base)  # middle is computed by the clock, not by touches
    assert tag_dependencies.is_watched(middle)
    assert not tag_dependencies.is_watched(late)
    Segment.objects.create(key="s", name="S", definition=has("z-base"))
    assert tag_dependencies.is_watched(base)
