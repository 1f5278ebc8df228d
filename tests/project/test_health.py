"""The answer to load balancers."""

import pytest
from django.db import DatabaseError, connection
from django.test import Client


@pytest.mark.django_db
def test_a_serving_process_says_so_without_login(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert client.post("/healthz").status_code == 405


def test_without_its_database_it_asks_to_be_left_out(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> None:
        raise DatabaseError("connection refused by db.internal")

    monkeypatch.setattr(connection, "cursor", down)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert b"internal" not in answer.content
