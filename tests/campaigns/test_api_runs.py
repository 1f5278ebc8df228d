"""Runs over the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from campaigns.models import Run
from tests.factories.api import api
from tests.factories.campaigns import DUE, CampaignFactory, RunFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return api("deliveries:read")


@pytest.fixture
def runs() -> list[Run]:
    spring, winter = CampaignFactory(key="spring"), CampaignFactory(key="winter")
    made = [
        RunFactory(campaign=spring, scheduled_at=DUE + timedelta(days=day), state="finished", planned=day)
        for day in range(3)
    ]
    skipped = RunFactory(campaign=winter, state="skipped", reason="too_late")
    return [*made, skipped]


def rows(client: Client, **query: Any) -> list[Any]:
    answer = client.get("/api/v1/runs/", query)
    assert answer.status_code == 200, answer.content
    results: list[Any] = answer.json()["results"]
    return results


def test_a_run_is_shown(client: Client, runs: list[Run]) -> None:
    shown = rows(client, campaign="winter")
    assert [(row["uid"], row["campaign"], row["state"], row["reason"]) for row in shown] == [
        (str(runs[3].uid), "winter", "skipped", "too_late")
    ]
    assert rows(client, state="finished", limit=1)[0]["planned"] == 0


def test_each_filter_narrows_the_list(client: Client, runs: list[Run]) -> None:
    assert len(rows(client)) == 4
    assert len(rows(client, campaign="spring")) == 3
    assert len(rows(client, state="skipped")) == 1
    assert rows(client, campaign="spring", state="skipped") == []
    assert rows(client, campaign="nothing") == []


@pytest.mark.parametrize("limit", [1, 2, 4, 500])
def test_all_runs_are_listed_once(client: Client, runs: list[Run], limit: int) -> None:
    seen: list[str] = []
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = client.get("/api/v1/runs/", query).json()
        seen += [row["uid"] for row in page["results"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == [str(run.uid) for run in runs]


@pytest.mark.parametrize(("name", "value"), [("state", "lost"), ("campaign", "a\0"), ("page", "1"), ("cursor", "?")])
def test_bad_filters_are_named(client: Client, name: str, value: str) -> None:
    answer = client.get("/api/v1/runs/", {name: value})
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [name]


def test_the_scope_is_that_of_deliveries(runs: list[Run]) -> None:
    assert api("profiles:read").get("/api/v1/runs/").status_code == 403
