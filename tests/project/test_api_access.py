"""Who may call what. Walks over every operation that is described or routed, so a new endpoint cannot be forgotten."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator

from tests.factories.api import api

METHODS = ("get", "post", "put", "patch", "delete")
OPEN = {"api/oauth/token/", "api/schema/", "api/docs/"}
EXAMPLES = {"{uid}": "01890a5d-ac96-774b-bcce-b302099a8057", "{key}": "somebody"}


def operations() -> list[Any]:
    schema = SchemaGenerator().get_schema(public=True)
    return [
        pytest.param(path, method, operation, id=f"{method} {path}")
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def routes(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, path)
        elif isinstance(entry, URLPattern):
            yield path


def call(client: Client, path: str, method: str) -> Any:
    for name, example in EXAMPLES.items():
        path = path.replace(name, example)
    return getattr(client, method)(path, content_type="application/json")


def needed(operation: dict[str, Any]) -> list[str]:
    return [scope for rule in operation["security"] for scope in rule["oauth2"]]


def test_every_route_of_the_api_is_described_or_known_to_be_open() -> None:
    described = {param.values[0].lstrip("/").count("/") for param in operations()}
    assert described  # the walk below would pass on an empty description
    paths = {param.values[0].lstrip("/") for param in operations()}
    shown = {path.replace("{uid}", "<uuid:uid>").replace("{key}", "<slug:key>") for path in paths}
    assert {path for path in routes() if path.startswith("api/")} == shown | OPEN


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_every_operation_needs_a_scope(path: str, method: str, operation: dict[str, Any]) -> None:
    assert needed(operation)
    assert set(needed(operation)) <= set(settings.OAUTH2_SCOPES)


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_no_token_no_answer(path: str, method: str, operation: dict[str, Any]) -> None:
    answer = call(Client(), path, method)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_authenticated"


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_an_expired_token_is_refused(path: str, method: str, operation: dict[str, Any]) -> None:
    answer = call(api(*needed(operation), expires_in=-timedelta(seconds=1)), path, method)
    assert answer.status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_all_the_other_scopes_together_do_not_open_it(path: str, method: str, operation: dict[str, Any]) -> None:
    others = set(settings.OAUTH2_SCOPES) - set(needed(operation))
    answer = call(api(*sorted(others)), path, method)
    assert answer.status_code == 403
    assert answer.json()["code"] == "permission_denied"


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_its_own_scope_opens_it(path: str, method: str, operation: dict[str, Any]) -> None:
    assert call(api(*needed(operation)), path, method).status_code not in {401, 403}


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "method", "operation"), [param for param in operations() if param.values[1] == "get"])
def test_asking_for_the_headers_alone_needs_the_same_scope(path: str, method: str, operation: dict[str, Any]) -> None:
    others = set(settings.OAUTH2_SCOPES) - set(needed(operation))
    assert call(api(*sorted(others)), path, "head").status_code == 403
    expected = call(api(*needed(operation)), path, "get").status_code
    assert call(api(*needed(operation)), path, "head").status_code == expected
