"""Boosts and the effective weight, in rules and for campaigns."""

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from compliance.models import AuditLeaf
from segments.models import TagBoost
from segments.rules import parse
from segments.rules.conditions.tag import TagCondition
from segments.selectors.tags import tag_advice
from segments.services.tags import assignment, boosts, definitions
from segments.services.tags.assignment import Given
from tests.segments.tags.stage import ACTOR, carried, define, person

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def boost(tag: object, factor: str, start: datetime, end: datetime, now: datetime) -> TagBoost:
    return boosts.create(
        tag=tag, factor=Decimal(factor), goal="Spring sale", starts_at=start, ends_at=end, actor=ACTOR, now=now
    )  # type: ignore[arg-type]


def test_boosts_multiply_while_they_run(now: datetime) -> None:
    tag, someone = define("thrifty", "manual", now), person()
    assignment.assign(tag=tag, given=Given(someone.pk, weight=1.0), actor=ACTOR, now=now)
    boost(tag, "2", now, now + 2 * DAY, now)
    boost(tag, "1.5", now + DAY, now + 3 * DAY, now)
    weights = [carried(someone, now + days * DAY)["thrifty"] for days in (0, 1, 2, 3)]
    assert weights == [2.0, 3.0, 1.5, 1.0]


@pytest.mark.parametrize(("hours", "least", "has"), [(0, 2, True), (23, 2, True), (24, 2, False), (24, 1, True)])
def test_a_rule_asks_for_the_effective_weight(hours: int, least: float, has: bool, now: datetime) -> None:
    tag, someone = define("thrifty", "manual", now), person()
    assignment.assign(tag=tag, given=Given(someone.pk, weight=1.0), actor=ACTOR, now=now)
    boost(tag, "2", now, now + DAY, now)
    moment = now + timedelta(hours=hours)
    asked = parse({"tag": "thrifty", "op": "has", "min_weight": least})
    assert list(asked.queryset(moment)) == ([someone.pk] if has else [])
    opposite = parse({"tag": "thrifty", "op": "has_not", "min_weight": least})
    assert list(opposite.queryset(moment)) == ([] if has else [someone.pk])


def test_time_alone_touches_those_whose_answer_it_changes(now: datetime) -> None:
    tag = define("thrifty", "manual", now)
    light, heavy, expiring = person(), person(), person()
    assignment.assign(tag=tag, given=Given(light.pk, weight=1.0), actor=ACTOR, now=now)
    assignment.assign(tag=tag, given=Given(heavy.pk, weight=5.0), actor=ACTOR, now=now)
    assignment.assign(tag=tag, given=Given(expiring.pk, weight=5.0, expires_at=now + DAY), actor=ACTOR, now=now)
    boost(tag, "2", now + 3 * DAY, now + 4 * DAY, now)
    asked = TagCondition("thrifty", "has", Decimal(2))

    def touched(start: int, end: int) -> list[int]:
        (query,) = asked.touched_by_clock(now + start * DAY, now + end * DAY) or ()
        return sorted(query)

    assert touched(0, 1) == [expiring.pk]
    assert touched(1, 2) == []
    assert touched(2, 3) == [light.pk]
    assert touched(3, 4) == [light.pk]
    (query,) = TagCondition("thrifty", "has").touched_by_clock(now + 2 * DAY, now + 3 * DAY) or ()
    assert list(query) == []


def test_a_boost_does_not_begin_in_the_past_and_ends_early_without_rewriting_it(now: datetime) -> None:
    tag, someone = define("thrifty", "manual", now), person()
    assignment.assign(tag=tag, given=Given(someone.pk, weight=1.0), actor=ACTOR, now=now)
    running = boost(tag, "2", now - DAY, now + 2 * DAY, now)
    assert running.starts_at == now
    ended = boosts.end(boost=running, actor=ACTOR, now=now + DAY)
    assert ended.ends_at == now + DAY
    assert carried(someone, now)["thrifty"] == 2.0
    coming = boost(tag, "3", now + 5 * DAY, now + 6 * DAY, now)
    assert boosts.end(boost=coming, actor=ACTOR, now=now + DAY).ends_at == coming.starts_at
    assert carried(someone, now + 5 * DAY)["thrifty"] == 1.0
    assert AuditLeaf.objects.filter(action="tag.boost_ended").count() == 2
    assert boosts.end(boost=ended, actor=ACTOR, now=now + 9 * DAY).ends_at == now + DAY


def test_a_boost_that_is_over_before_it_begins_is_refused_by_name(now: datetime) -> None:
    tag = define("thrifty", "manual", now)
    with pytest.raises(ValidationError) as caught:
        boost(tag, "2", now, now - DAY, now)
    assert list(caught.value.message_dict) == ["ends_at"]
    with pytest.raises(ValidationError) as caught:
        boost(tag, "0", now, now + DAY, now)
    assert list(caught.value.message_dict) == ["factor"]


@pytest.mark.parametrize(
    ("constraint", "fields"),
    [("tag_boost_factor_in_range", {"factor": 0}), ("tag_boost_ends_not_before_start", {"ends_at": None})],
)
def test_the_database_refuses_impossible_boosts(constraint: str, fields: dict[str, object], now: datetime) -> None:
    given = {"factor": 2, "starts_at": now, "ends_at": now + DAY, "goal": "x", "created_at": now, **fields}
    given["ends_at"] = given["ends_at"] or now - DAY
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        TagBoost.objects.create(tag=define("thrifty", "manual", now), **given)


def test_advice_falls_back_to_the_parent_and_comes_heaviest_first(now: datetime) -> None:
    group = define("price", "group", now, advice_content="Show the saving", advice_channel="sms", advice_per_week=3)
    thrifty = define("thrifty", "manual", now, parent=group, advice_per_week=1)
    vip = define("vip", "manual", now, advice_channel="wechat")
    silent = define("silent", "manual", now)
    someone, nobody = person(), person()
    for tag, weight in ((thrifty, 1.0), (vip, 1.5), (silent, 9.0)):
        assignment.assign(tag=tag, given=Given(someone.pk, weight=weight), actor=ACTOR, now=now)
    boost(thrifty, "2", now, now + DAY, now)
    found = tag_advice([someone.pk, nobody.pk], now)
    assert list(found) == [someone.pk]
    heaviest, second = found[someone.pk]
    assert (heaviest.tag, heaviest.effective_weight, heaviest.content) == ("thrifty", 2.0, "Show the saving")
    assert (heaviest.per_week, heaviest.channel) == (1, "sms")
    assert (second.tag, second.content, second.per_week, second.channel) == ("vip", "", None, "wechat")
    definitions.change(tag=vip, fields={"advice_channel": ""}, actor=ACTOR, now=now)
    assert [advice.tag for advice in tag_advice([someone.pk], now)[someone.pk]] == ["thrifty"]
