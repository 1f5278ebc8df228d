"""Deliveries over the API."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.models import Delivery, Run
from campaigns.states import DeliveryState
from tests.factories.api import api
from tests.factories.campaigns import CampaignFactory, DeliveryFactory, RunFactory
from tests.factories.segments import make_profile

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return api("deliveries:read")


@pytest.fixture
def runs() -> list[Run]:
    """Two runs in different months, each to the same three people."""
    made = [
        RunFactory(campaign=CampaignFactory(key="spring"), scheduled_at=datetime(2026, 3, 2, 3, tzinfo=UTC)),
        RunFactory(campaign=CampaignFactory(key="winter"), scheduled_at=datetime(2026, 1, 2, 3, tzinfo=UTC)),
    ]
    people = [make_profile(number) for number in range(3)]
    for run in made:
        for profile in people:
            DeliveryFactory(run=run, profile=profile)
    return made


def rows(client: Client, **query: Any) -> list[Any]:
    answer = client.get("/api/v1/deliveries/", query)
    assert answer.status_code == 200, answer.content
    results: list[Any] = answer.json()["results"]
    return results


def test_a_delivery_is_shown_without_address_or_error_text(client: Client) -> None:
    delivery = DeliveryFactory(state=DeliveryState.FAILED, error="550 <somebody@example.com> unknown user")
    answer = client.get("/api/v1/deliveries/")
    assert b"@" not in answer.content
    assert answer.json()["results"] == [
        {
            "run": str(delivery.run.uid),
            "campaign": delivery.run.campaign.key,
            "profile": str(delivery.profile.subject.uid),
            "step": 0,
            "channel": "email",
            "state": "failed",
            "reason": "",
            "attempts": 0,
            "due_at": answer.json()["results"][0]["due_at"],
            "sent_at": None,
            "changed_at": answer.json()["results"][0]["changed_at"],
        }
    ]


@pytest.mark.parametrize("limit", [1, 2, 4, 6, 500])
def test_all_deliveries_are_listed_once(client: Client, runs: list[Run], limit: int) -> None:
    seen: list[tuple[str, str]] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = client.get("/api/v1/deliveries/", query).json()
        seen += [(row["run"], row["profile"]) for row in page["results"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    people = Delivery.objects.order_by("profile").values_list("profile__subject__uid", flat=True).distinct()
    assert seen == [(str(run.uid), str(uid)) for run in runs for uid in people]


def test_each_filter_narrows_the_list(client: Client, runs: list[Run]) -> None:
    one = Delivery.objects.filter(run=runs[0]).first()
    assert one is not None
    Delivery.objects.filter(pk=one.pk).update(state="excluded", reason="no_consent")
    assert len(rows(client)) == 6
    assert {row["run"] for row in rows(client, run=runs[1].uid)} == {str(runs[1].uid)}
    assert {row["campaign"] for row in rows(client, campaign="winter")} == {"winter"}
    assert len(rows(client, profile=one.profile.subject.uid)) == 2
    assert len(rows(client, state="planned")) == 5
    assert [row["reason"] for row in rows(client, reason="no_consent")] == ["no_consent"]
    assert rows(client, campaign="winter", reason="no_consent") == []
    assert rows(client, run=runs[0].uid, campaign="winter") == []


def test_filters_that_name_nothing_find_nothing(client: Client, runs: list[Run]) -> None:
    nobody = "01890a5d-ac96-774b-bcce-b302099a8057"
    for query in ({"run": nobody}, {"campaign": "nothing"}, {"profile": nobody}, {"reason": "nothing"}):
        assert rows(client, **query) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("run", "1"), ("profile", "\0"), ("state", "lost"), ("campaign", "a\0"), ("reason", "x" * 65), ("page", "1")],
)
def test_bad_filters_are_named(client: Client, name: str, value: str) -> None:
    answer = client.get("/api/v1/deliveries/", {name: value})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [name]


def test_a_page_takes_as_many_queries_for_one_row_as_for_many(client: Client, runs: list[Run]) -> None:
    counts = []
    for limit in (1, 6):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            rows(client, limit=limit)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_later_page_is_a_range_of_the_index(client: Client, runs: list[Run]) -> None:
    first = client.get("/api/v1/deliveries/", {"limit": 2}).json()
    with CaptureQueriesContext(connection) as queries:
        rows(client, limit=2, cursor=first["next"])
    page = next(query["sql"] for query in queries if 'FROM "campaigns_delivery"' in query["sql"])
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute("SET LOCAL enable_incremental_sort = off")
        cursor.execute(f"EXPLAIN {page}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Cond: (ROW(" in plan
