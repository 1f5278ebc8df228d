"""No token of an unsubscribe link and no address that somebody searches for reaches a log."""

import logging

import pytest
from django.test import Client

from config.logs import MaskTokens

TOKEN = "AAAA-bbb_CCC123"


def test_tokens_are_taken_out_of_the_lines_of_any_logger() -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, "GET %s done", (f"/u/{TOKEN}?x=1",), None)
    assert MaskTokens().filter(record)
    assert record.getMessage() == "GET /u/…?x=1 done"


@pytest.mark.django_db
def test_a_request_for_a_link_is_logged_without_its_token(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Client().get(f"/u/{TOKEN}")
    assert "/u/…" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.django_db
def test_an_address_that_staff_search_for_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = Client().get("/admin/segments/profile/", {"q": "ada@example.com", "country__exact": "CN"})
        Client().get(answer.headers["Location"])
    assert "country__exact=CN" in caplog.text
    assert "ada@" not in caplog.text
    assert "ada%40" not in caplog.text
