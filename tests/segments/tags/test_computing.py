"""Computed tags: rules, groups, aggregates; rhythm, failure, the order of computing."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import CrontabSchedule

from segments.models import ProfileTag, Segment, Tag, Touch
from segments.services import segments, tags
from segments.services.tags import assignment, definitions
from tests.segments.tags.stage import ACTOR, carried, compute, define, do, follow, person

pytestmark = pytest.mark.django_db

SHANGHAI = {"attribute": "city", "op": "eq", "value": "Shanghai"}
BUYER = {"event": "purchase", "op": "gte", "value": 1}


def version(tag: Tag) -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, xmin::text FROM segments_profiletag WHERE tag_id = %s ORDER BY id", [tag.pk])
        return cursor.fetchall()


def test_a_rule_gives_and_takes(now: datetime) -> None:
    local, other = person(city="Shanghai"), person(city="Beijing")
    tag = define("local", "rule", now, rule=SHANGHAI, rhythm="daily", given_weight=2.5)
    changes = compute(tag, now)
    assert changes is not None
    assert (changes.given, changes.taken) == (1, 0)
    assert (carried(local, now), carried(other, now)) == ({"local": 2.5}, {})
    local.city = "Beijing"
    local.save()
    changes = compute(tag, now)
    assert changes is not None
    assert (changes.given, changes.taken) == (0, 1)
    assert carried(local, now) == {}


def test_computing_again_writes_no_row(now: datetime) -> None:
    person(city="Shanghai")
    tag = define("local", "rule", now, rule=SHANGHAI, rhythm="daily")
    compute(tag, now)
    before = version(tag)
    changes = compute(tag, now + timedelta(days=1))
    assert changes is not None
    assert (changes.given, changes.taken) == (0, 0)
    assert version(tag) == before


def test_computing_takes_as_many_statements_for_many_people_as_for_one(now: datetime) -> None:
    tag = define("local", "rule", now, rule=SHANGHAI, rhythm="daily")
    person(city="Shanghai")
    with CaptureQueriesContext(connection) as few:
        compute(tag, now)
    for _ in range(20):
        person(city="Shanghai")
    with CaptureQueriesContext(connection) as many:
        compute(tag, now)
    assert len(many) == len(few)


def test_a_computed_tag_expires_unless_it_is_confirmed(now: datetime) -> None:
    local = person(city="Shanghai")
    tag = define("local", "rule", now, rule=SHANGHAI, rhythm="daily", expires_after_days=10)
    compute(tag, now)
    before = version(tag)
    compute(tag, now + timedelta(days=4))  # more than half of the term is left
    assert version(tag) == before
    compute(tag, now + timedelta(days=6))
    assert version(tag) != before
    assert carried(local, now + timedelta(days=15)) == {"local": 1.0}
    assert carried(local, now + timedelta(days=16)) == {}


def test_the_first_rule_of_an_exclusive_group_wins(now: datetime) -> None:
    group = define("home", "group", now, is_exclusive=True, rhythm="daily")
    define("home-city", "rule", now, rule=SHANGHAI, parent=group, position=0)
    define("home-any", "rule", now, rule={"all": []}, parent=group, position=1)
    local, other = person(city="Shanghai"), person()
    compute(group, now)
    assert (carried(local, now), carried(other, now)) == ({"home-city": 1.0}, {"home-any": 1.0})
    type(local).objects.filter(pk=local.pk).update(city="Beijing")
    changes = compute(group, now)
    assert changes is not None
    assert changes.given == 1
    assert carried(local, now) == {"home-any": 1.0}
    assert ProfileTag.objects.get(profile=local).group_id == group.pk


def test_a_tag_given_by_hand_in_an_exclusive_group_outlasts_computing(now: datetime) -> None:
    group = define("home", "group", now, is_exclusive=True, rhythm="daily")
    define("home-any", "rule", now, rule={"all": []}, parent=group, position=0)
    chosen = define("home-chosen", "manual", now, parent=group, position=1)
    someone = person()
    compute(group, now)
    assignment.assign(tag=chosen, given=assignment.Given(someone.pk), actor="user:anna", now=now)
    assert carried(someone, now) == {"home-chosen": 1.0}
    compute(group, now)
    assert carried(someone, now) == {"home-chosen": 1.0}


def test_the_weight_of_an_aggregate_is_its_figure(now: datetime) -> None:
    tag = define(
        "orders", "aggregate", now, event_name="purchase", measure="occasions", output="weight", window_days=30,
        rhythm="at_once",
    )  # fmt: skip
    buyer = person()
    for day in (1, 1, 2, 31):
        do(buyer, "purchase", now - timedelta(days=day), amount="5", now=now)
    compute(tag, now)
    assert carried(buyer, now) == {"orders": 2.0}
    assert ProfileTag.objects.get().evidence["figure"] == 2


@pytest.mark.parametrize(("measure", "favourite", "share"), [("count", "tea", "0.667"), ("sum", "fruit", "0.833")])
def test_the_favourite_category_is_the_one_with_the_highest_figure(
    measure: str, favourite: str, share: str, now: datetime
) -> None:
    tag = define(
        "favourite", "aggregate", now, event_name="purchase", measure=measure, output="top_category", rhythm="weekly"
    )
    buyer = person()
    for amount, category in (("5", "tea"), ("5", "tea"), ("50", "fruit"), ("3", "")):
        do(buyer, "purchase", now, amount=amount, category=category, now=now)
    compute(tag, now)
    row = ProfileTag.objects.get(profile=buyer)
    assert (row.tag.key, row.confidence, row.group_id) == (f"favourite-{favourite}", Decimal(share), tag.pk)


def test_of_equal_categories_the_one_of_the_later_event_is_the_favourite(now: datetime) -> None:
    tag = define(
        "favourite", "aggregate", now, event_name="purchase", measure="count", output="top_category", rhythm="weekly"
    )
    buyer = person()
    do(buyer, "purchase", now, category="tea", now=now)
    do(buyer, "purchase", now - timedelta(hours=1), category="fruit", now=now)
    compute(tag, now)
    assert list(carried(buyer, now)) == ["favourite-tea"]
    for _ in range(2):
        do(buyer, "purchase", now - timedelta(hours=2), category="fruit", now=now)
    compute(tag, now)
    assert list(carried(buyer, now)) == ["favourite-fruit"]


def test_each_category_has_its_figure_as_weight(now: datetime) -> None:
    tag = define(
        "bought", "aggregate", now, event_name="purchase", measure="sum", output="each_category", rhythm="daily",
        minimum=Decimal(10),
    )  # fmt: skip
    buyer = person()
    for amount, category in (("6", "tea"), ("6", "tea"), ("9", "fruit")):
        do(buyer, "purchase", now, amount=amount, category=category, now=now)
    compute(tag, now)
    assert carried(buyer, now) == {"bought-tea": 12.0}


def test_a_tag_at_once_follows_an_event_and_leads_the_segment(now: datetime) -> None:
    tag = define("buyer", "rule", now, rule=BUYER, rhythm="at_once")
    rule = {"tag": "buyer", "op": "has"}
    buyers = segments.create(key="buyers", name="Buyers", definition=rule, actor=ACTOR, now=now)
    chained = define("buyer-too", "rule", now, rule=rule, rhythm="at_once")
    buyer, other = person(), person()
    do(buyer, "purchase", now, now=now)
    follow(now)
    assert set(carried(buyer, now)) == {tag.key, chained.key}
    assert carried(other, now) == {}
    assert list(buyers.memberships.values_list("profile_id", flat=True)) == [buyer.pk]


def test_a_tag_of_another_rhythm_waits(now: datetime) -> None:
    define("buyer", "rule", now, rule=BUYER, rhythm="daily")
    buyer = person()
    do(buyer, "purchase", now, now=now)
    follow(now)
    assert carried(buyer, now) == {}


def test_the_clock_alone_moves_the_tags_that_follow_at_once(now: datetime) -> None:
    tag = define(
        "orders", "aggregate", now, event_name="purchase", measure="count", output="weight", window_days=30,
        rhythm="at_once",
    )  # fmt: skip
    buyer = person()
    do(buyer, "purchase", now - timedelta(days=29), now=now)
    compute(tag, now)
    assert carried(buyer, now) == {"orders": 1.0}
    assert tags.follow_clock(now=now + timedelta(hours=1), actor=ACTOR) == 0
    assert tags.follow_clock(now=now + timedelta(days=1), actor=ACTOR) == 1
    assert carried(buyer, now + timedelta(days=1)) == {}
    assert Touch.objects.filter(cause="tag:orders", profile=buyer).exists()


def test_what_is_due_is_computed_in_order_and_due_again(now: datetime) -> None:
    person(city="Shanghai")
    first = define("a-second", "manual", now)
    rule = define("local", "rule", now, rule=SHANGHAI, rhythm="weekly")
    chained = define("after", "rule", now, rule={"tag": "local", "op": "has"}, rhythm="weekly")
    Tag.objects.filter(pk=rule.pk).update(due_at=now)
    assert list(tags.compute_due(now=now, actor=ACTOR)) == ["local", "after"]
    assert ProfileTag.objects.filter(tag=chained).count() == 1
    rule.refresh_from_db()
    # The day of the test is a Monday, noon in Shanghai; the next Monday at four in the morning there.
    assert rule.due_at == datetime(2026, 3, 8, 20, 0, tzinfo=UTC)
    assert (rule.people, rule.error, rule.computed_at) == (1, "", now)
    first.refresh_from_db()
    assert first.due_at is None
    assert tags.compute_due(now=now, actor=ACTOR) == {}


def test_a_definition_that_fails_says_so_and_stops_no_other(now: datetime) -> None:
    someone = person(city="Shanghai")
    broken = define("a-broken", "rule", now, rule=SHANGHAI, rhythm="daily")
    compute(broken, now)
    Tag.objects.filter(pk=broken.pk).update(rule={"gone": 1}, due_at=now)
    define("local", "rule", now, rule=SHANGHAI, rhythm="daily")
    assert list(tags.compute_due(now=now, actor=ACTOR)) == ["local"]
    assert set(carried(someone, now)) == {"a-broken", "local"}  # it keeps what it had
    broken.refresh_from_db()
    assert "must have exactly one of the keys" in broken.error
    assert broken.due_at == now + timedelta(hours=1)


def test_a_crontab_says_when(now: datetime) -> None:
    crontab = CrontabSchedule.objects.create(minute="30", hour="9", timezone="Asia/Shanghai")
    tag = define("local", "rule", now, rule=SHANGHAI, rhythm="crontab", crontab=crontab)
    compute(tag, now)
    tag.refresh_from_db()
    assert tag.due_at == datetime(2026, 3, 3, 1, 30, tzinfo=UTC)


def test_touches_are_written_only_where_somebody_depends(now: datetime) -> None:
    person(city="Shanghai")
    tag = define("local", "rule", now, rule=SHANGHAI, rhythm="daily")
    Touch.objects.all().delete()
    compute(tag, now)
    assert not Touch.objects.exists()
    Segment.objects.create(key="locals", name="Locals", definition={"tag": "local", "op": "has"})
    ProfileTag.objects.all().delete()
    compute(tag, now)
    assert list(Touch.objects.values_list("cause", flat=True)) == ["tag:local"]


def test_parameters_of_the_group_stand_in_rules(now: datetime) -> None:
    parameters = {"days": (Decimal(30), "days since the last order")}
    group = define("life", "group", now, is_exclusive=True, rhythm="daily", parameters=parameters)
    rule = {"stat": "last_order_at", "op": "gte", "value": {"days_ago": {"parameter": "days"}}}
    define("life-active", "rule", now, rule=rule, parent=group)
    buyer = person()
    do(buyer, "purchase", now - timedelta(days=40), now=now)
    compute(group, now)
    assert carried(buyer, now) == {}
    group.parameters.update(value=50)
    definitions.details_changed(tag=group, actor=ACTOR, now=now)
    assert list(tags.compute_due(now=now, actor=ACTOR)) == ["life"]
    assert carried(buyer, now) == {"life-active": 1.0}


def test_recounting_leaves_out_what_expired(now: datetime) -> None:
    person(city="Shanghai")
    tag = define("local", "rule", now, rule=SHANGHAI, rhythm="daily", expires_after_days=5)
    compute(tag, now)
    tag.refresh_from_db()
    assert tag.people == 1
    tags.recount(now=now + timedelta(days=6))
    tag.refresh_from_db()
    assert tag.people == 0
