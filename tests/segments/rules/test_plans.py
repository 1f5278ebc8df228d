"""The plans that PostgreSQL makes of rules, and ages on the days where they turn."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection

from segments.models import Profile
from segments.rules import parse
from tests.segments.rules.oracle import full_years
from tests.segments.rules.world import NOW, TAGS, Carried, Person, store

VIP = {"tag": TAGS[0], "op": "has"}
NEW = {"tag": TAGS[1], "op": "has"}
GOOD = {"rfm": "recency", "op": "gte", "value": 4}


def plan_of(tree: dict[str, object]) -> str:
    return parse(tree).queryset(NOW).explain()


@pytest.mark.django_db
@pytest.mark.parametrize("tree", [VIP, GOOD, {"all": [GOOD, {"stat": "order_count", "op": "gte", "value": 2}]}])
def test_people_are_not_read_where_only_their_tags_or_statistics_are_asked(tree: dict[str, object]) -> None:
    store([Person(tags=[Carried(TAGS[0])], rfm=(5, 5, 5))])
    assert "segments_profile " not in plan_of(tree)
    assert "on segments_profile\n" not in plan_of(tree)


@pytest.mark.django_db
def test_who_has_none_of_some_tags_is_found_by_anti_joins() -> None:
    store([Person(tags=[Carried(TAGS[0])]) for _ in range(200)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert "Anti Join" in plan_of({"none": [VIP, NEW]})


@pytest.mark.django_db
def test_a_rule_that_begins_elsewhere_is_still_a_queryset_of_people() -> None:
    carrier, other, stranger = store(
        [Person(tags=[Carried(TAGS[0])], city="Wuhan"), Person(tags=[Carried(TAGS[0])]), Person(city="Wuhan")]
    )
    matching = parse(VIP).queryset(NOW)
    assert list(matching.order_by("-subject_id")) == [other, carrier]
    assert (matching.count(), matching.exists()) == (2, True)
    assert set(matching.filter(city="Wuhan")) == {carrier}
    assert set(Profile.objects.exclude(pk__in=matching).values_list("pk", flat=True)) == {stranger}
    assert set(parse(VIP).queryset(NOW, only=parse(GOOD).queryset(NOW))) == set()
    assert set(parse(GOOD).queryset(NOW, only=matching)) == set()


@pytest.mark.django_db
@pytest.mark.parametrize("op", ["eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in"])
@pytest.mark.parametrize("today", [date(2024, 2, 29), date(2025, 2, 28), date(2025, 3, 1)])
def test_ages_turn_on_the_birthday(op: str, today: date) -> None:
    noon = datetime(today.year, today.month, today.day, 4, tzinfo=UTC)
    born = [date(2004, 2, 28) + timedelta(days=day) for day in range(-366, 367)]
    people = dict(zip(store([Person(birth_date=day) for day in born]), born, strict=True))
    holds = {
        "eq": lambda age: age == 20, "ne": lambda age: age != 20, "lt": lambda age: age < 20,
        "lte": lambda age: age <= 20, "gt": lambda age: age > 20, "gte": lambda age: age >= 20,
        "in": lambda age: age in (19, 21), "not_in": lambda age: age not in (19, 21),
    }[op]  # fmt: skip
    value = [19, 21] if "in" in op else 20
    expected = {pk for pk, day in people.items() if holds(full_years(day, today))}
    assert set(parse({"attribute": "age", "op": op, "value": value}).queryset(noon)) == expected
