"""Previews: counts, what each condition does, stopping what takes too long or was overtaken."""

import random
import threading
from datetime import datetime
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segments.rules import RuleError, parse
from segments.rules.nodes import Group
from segments.rules.shares import shares
from segments.selectors.limited import StoppedError, at_most
from segments.services import previews
from tests.factories.segments import TagFactory
from tests.segments.rules.oracle import matches
from tests.segments.rules.trees import TREES
from tests.segments.rules.world import NOW, Person, random_person, store

pytestmark = pytest.mark.django_db
SHANGHAI = {"attribute": "city", "op": "eq", "value": "Shanghai"}
WOMEN = {"attribute": "gender", "op": "eq", "value": "female"}
ASKING = "SELECT query LIKE '%%pg_sleep%%' AND state = 'active' FROM pg_stat_activity WHERE pid = %s"
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def people() -> list[int]:
    """Three women of Shanghai, two men of Shanghai, one woman of Beijing, one man of Beijing."""
    return store(
        [Person(city="Shanghai", gender="female")] * 3
        + [Person(city="Shanghai", gender="male")] * 2
        + [Person(city="Beijing", gender="female"), Person(city="Beijing", gender="male")]
    )


def effects(tree: dict[str, Any]) -> list[tuple[str, int, int]]:
    root = parse(tree).root
    assert isinstance(root, Group)
    return [(share.path, share.without, share.matching) for share in shares(root, NOW)]


def test_all_tells_what_each_condition_removes(people: list[int]) -> None:
    assert effects({"all": [SHANGHAI, WOMEN]}) == [("/all/0", 4, 3), ("/all/1", 5, 3)]


def test_any_tells_what_each_condition_adds(people: list[int]) -> None:
    assert effects({"any": [SHANGHAI, WOMEN]}) == [("/any/0", 4, 6), ("/any/1", 5, 6)]


def test_none_tells_what_each_condition_removes(people: list[int]) -> None:
    assert effects({"none": [SHANGHAI, WOMEN]}) == [("/none/0", 3, 1), ("/none/1", 2, 1)]


def test_a_group_without_children_has_no_shares(people: list[int]) -> None:
    assert effects({"all": []}) == effects({"any": []}) == []
    assert effects({"all": [{"any": []}]}) == [("/all/0", 7, 0)]


def test_shares_take_one_query(people: list[int], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        effects({"all": [SHANGHAI, WOMEN, {"stat": "order_count", "op": "gte", "value": 0}]})


@pytest.fixture
def population() -> dict[int, Person]:
    rng = random.Random(7)
    people = [random_person(rng) for _ in range(60)]
    return dict(zip(store(people), people, strict=True))


@MANY
@given(kind=st.sampled_from(["all", "any", "none"]), children=st.lists(TREES, min_size=1, max_size=4))
def test_shares_are_what_counting_without_a_condition_says(
    population: dict[int, Person], kind: str, children: list[Any]
) -> None:
    def counted(of: list[Any]) -> int:
        return sum(matches({kind: of}, person, NOW) for person in population.values())

    found = effects({kind: children})
    expected = [
        (f"/{kind}/{index}", counted(children[:index] + children[index + 1 :]), counted(children))
        for index in range(len(children))
    ]
    assert found == expected


def test_a_preview_counts_and_names_a_sample(people: list[int], now: datetime) -> None:
    found = previews.preview(definition={"all": [SHANGHAI]}, form="a", now=now)
    assert (found.count, found.sample, found.sentence) == (5, people[:5], "City is “Shanghai”")
    assert found.shares is not None
    assert [(share.without, share.matching) for share in found.shares] == [(7, 5)]


def test_a_rule_that_is_one_condition_has_no_shares(people: list[int], now: datetime) -> None:
    assert previews.preview(definition=SHANGHAI, form="a", now=now).shares == []


def test_an_unknown_tag_is_named_where_it_stands(now: datetime) -> None:
    TagFactory(key="vip")
    vip, lost = {"tag": "vip", "op": "has"}, {"tag": "lost", "op": "has"}
    with pytest.raises(RuleError) as raised:
        previews.preview(definition={"all": [vip, {"any": [SHANGHAI, lost]}]}, form="a", now=now)
    assert raised.value.path == "/all/1/any/1"


def sleep(seconds: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


def test_a_long_question_is_stopped_and_the_transaction_goes_on() -> None:
    with pytest.raises(StoppedError), at_most(0.05):
        sleep(5)
    with at_most(5):
        sleep(0)
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_other_failures_of_the_database_are_not_taken_for_it() -> None:
    with pytest.raises(OperationalError), at_most(1), connection.cursor() as cursor:
        cursor.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '57P03'; END $$")


def test_a_newer_preview_of_a_form_stops_the_older_one(people: list[int], now: datetime) -> None:
    address = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    given = connection.settings_dict
    with psycopg.connect(**{key: given[name] for key, name in address.items() if given[name]}) as other:
        pid = other.info.backend_pid
        other.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", [previews.LOCK_NAMESPACE, previews.lock_key("a")])
        ended: list[str] = []
        older = threading.Thread(target=_sleep_until_cancelled, args=(other, ended))
        older.start()
        while not _is_asking(pid):
            pass
        previews.preview(definition={"all": []}, form="b", now=now)
        assert _is_asking(pid), "the preview of another form stops nothing"
        previews.preview(definition={"all": []}, form="a", now=now)
        older.join(timeout=10)
        assert ended == ["cancelled"]


def _sleep_until_cancelled(other: "psycopg.Connection[Any]", ended: list[str]) -> None:
    try:
        other.execute("SELECT pg_sleep(60)")
    except psycopg.errors.QueryCanceled:
        ended.append("cancelled")


def _is_asking(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT query LIKE '%%pg_sleep%%' AND state = 'active' FROM pg_stat_activity WHERE pid = %s", [pid]
        )
        return bool(cursor.fetchone()[0])
