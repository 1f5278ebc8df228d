"""Every error is answered as a problem (RFC 9457), wherever it arises."""

from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory

from config import problems
from tests.factories.api import api, post

pytestmark = pytest.mark.django_db
UNSUBSCRIBE = {"channel": "email", "address": "someone@example.com", "source": "shop"}


def is_problem(answer: Any, status: int, code: str) -> list[tuple[str, str]]:
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert set(body) == {"type", "title", "status", "code", "detail", "errors"}
    assert (body["type"], body["status"], body["code"]) == ("about:blank", status, code)
    assert body["detail"]
    return [(error["field"], error["reason"]) for error in body["errors"]]


def test_unknown_addresses() -> None:
    is_problem(Client().get("/api/v1/nothing/"), 404, "not_found")
    is_problem(Client().post("/api/nothing"), 404, "not_found")


def test_other_pages_keep_their_own_errors() -> None:
    assert Client().get("/nothing").headers["Content-Type"].startswith("text/html")


def test_unknown_objects() -> None:
    is_problem(api("segments:read").get("/api/v1/segments/nothing/members/"), 404, "not_found")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options", "trace"])
def test_methods_that_an_endpoint_lacks(method: str) -> None:
    answer = getattr(api("events:write"), method)("/api/v1/events/")
    is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


def test_a_body_of_another_type() -> None:
    answer = api("events:write").post("/api/v1/events/", "a=b", content_type="application/x-www-form-urlencoded")
    is_problem(answer, 415, "unsupported_media_type")


def test_an_answer_of_another_type() -> None:
    answer = api("segments:read").get("/api/v1/segments/", headers={"Accept": "text/html"})
    is_problem(answer, 406, "not_acceptable")


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"{",
        b"\xff\xfe",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e400}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"a": "\\ud800"}',
        b'{"a": 9007199254740993}',
        b'{"a": ' + b"9" * 5_000 + b"}",
        b"[" * 30 + b"]" * 30,
        b"[" * 200_000,
    ],
)
def test_bodies_that_are_no_usable_json(body: bytes) -> None:
    answer = api("events:write").post("/api/v1/events/", body, content_type="application/json")
    is_problem(answer, 400, "parse_error")


def test_a_body_that_is_too_large() -> None:
    answer = api("events:write").post("/api/v1/events/", b" " * 3_000_000, content_type="application/json")
    is_problem(answer, 413, "body_too_large")
    answer = api("events:write").post(
        "/api/v1/events/", b" " * 3_000_000, content_type="application/json", headers={"Idempotency-Key": "a"}
    )
    is_problem(answer, 413, "body_too_large")


@pytest.mark.parametrize("body", [[], "text", 1, None, True])
def test_bodies_that_are_no_object(body: Any) -> None:
    errors = is_problem(post(api("consents:write"), "unsubscribe/", body), 400, "invalid")
    assert [field for field, _ in errors] in ([""], ["channel", "address", "source"])


def test_every_bad_field_is_named() -> None:
    errors = is_problem(post(api("consents:write"), "unsubscribe/", {"channel": "pigeon"}), 400, "invalid")
    assert [field for field, _ in errors] == ["channel", "address", "source"]
    assert "pigeon" in errors[0][1]


def test_unknown_fields_are_refused_by_name() -> None:
    body = {**UNSUBSCRIBE, "channels": "email", "x" * 100: 1}
    errors = is_problem(post(api("consents:write"), "unsubscribe/", body), 400, "invalid")
    assert [field for field, _ in errors] == ["channels", "x" * 64]


def test_unknown_parameters_are_refused_by_name() -> None:
    errors = is_problem(api("segments:read").get("/api/v1/segments/?page=2"), 400, "invalid")
    assert [field for field, _ in errors] == ["page"]


@pytest.mark.parametrize("cursor", ["!", "AAAA", "A" * 100, "é", "", "\0", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
def test_cursors_of_no_page(cursor: str) -> None:
    answer = api("segments:read").get("/api/v1/segments/", {"cursor": cursor})
    assert [field for field, _ in is_problem(answer, 400, "invalid")] == ["cursor"]


@pytest.mark.parametrize("limit", ["0", "501", "-1", "9" * 5_000, "1.5", "ten", ""])
def test_limits_out_of_range(limit: str) -> None:
    answer = api("segments:read").get("/api/v1/segments/", {"limit": limit})
    assert [field for field, _ in is_problem(answer, 400, "invalid")] == ["limit"]


def test_reasons_are_given_in_the_language_of_the_caller() -> None:
    answer = api("segments:read").get("/api/v1/segments/?limit=0", headers={"Accept-Language": "zh-hans"})
    assert "500" not in answer.json()["errors"][0]["reason"]
    assert not answer.json()["errors"][0]["reason"].isascii()


@pytest.mark.parametrize(("path", "kind"), [("/api/x/", "application/problem+json"), ("/x/", "text/html")])
def test_bugs_tell_nothing(path: str, kind: str) -> None:
    request: HttpRequest = RequestFactory().get(path)
    answer = problems.server_error(request)
    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith(kind)
    refused = problems.bad_request(request, Exception("secret"))
    assert refused.status_code == 400
    assert refused.headers["Content-Type"].startswith(kind)
