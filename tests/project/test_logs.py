"""No token of an unsubscribe link reaches a log."""

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
