"""The API describes itself without a warning and without another host."""

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

ERRORS = {"400", "401", "403", "406"}


@pytest.fixture(scope="module")
def schema() -> Any:
    return Client().get("/api/schema/", headers={"Accept": "application/json"}).json()


def test_the_description_is_valid_and_complete(tmp_path: Any) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yaml"))


def test_every_operation_describes_its_errors_as_problems(schema: Any) -> None:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            assert set(answers) >= ERRORS, path
            assert ("404" in answers) >= ("{" in path), path
            assert ("413" in answers) == (method in {"post", "patch"}), path
            for status, answer in answers.items():
                kind = "application/json" if status.startswith("2") else "application/problem+json"
                assert list(answer["content"]) == [kind], (path, status)


def test_writes_and_only_they_take_an_idempotency_key(schema: Any) -> None:
    taking = {
        path
        for path, methods in schema["paths"].items()
        for operation in methods.values()
        if any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", []))
    }
    names = (
        "profiles", "events", "consents", "unsubscribe", "subject-requests", "tags/{key}/people", "profiles/{uid}/tags",
        "profiles/{uid}/merge", "merges/{uid}/undo", "segments", "segments/{key}", "segments/{key}/refresh",
        "segments/{key}/members", "profiles/{uid}/inbox/read",
    )  # fmt: skip
    assert taking == {f"/api/v1/{name}/" for name in names}


def test_the_pages_load_nothing_from_another_host() -> None:
    page = Client().get("/api/docs/").content.decode()
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page)
    assert '"validatorUrl": null' in page
