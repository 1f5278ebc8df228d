"""The token endpoint: client credentials and nothing else."""

import base64
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from oauth2_provider.models import AccessToken

from compliance.models import ApiClient, AuditLeaf
from tests.factories.api import make_client

pytestmark = pytest.mark.django_db
URL = "/api/oauth/token/"


def ask(client: ApiClient, secret: str, **fields: str) -> Any:
    basic = base64.b64encode(f"{client.client_id}:{secret}".encode()).decode()
    form = {"grant_type": "client_credentials", **fields}
    return Client(enforce_csrf_checks=True).post(URL, form, headers={"Authorization": f"Basic {basic}"})


def test_a_client_gets_a_token_that_works_and_is_stored_as_a_digest_only() -> None:
    client, secret = make_client("segments:read")
    answer = ask(client, secret, scope="segments:read")
    assert answer.status_code == 200
    assert answer.json()["scope"] == "segments:read"
    assert "no-store" in answer.headers["Cache-Control"]
    token = answer.json()["access_token"]
    assert not AccessToken.objects.filter(token=token).exists()
    assert Client().get("/api/v1/segments/", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_a_token_in_the_address_does_not_count() -> None:
    client, secret = make_client("segments:read")
    token = ask(client, secret).json()["access_token"]
    assert Client().get(f"/api/v1/segments/?access_token={token}").status_code == 401


def test_without_asking_a_client_gets_all_its_scopes_and_no_others() -> None:
    client, secret = make_client("segments:read", "events:write")
    assert set(ask(client, secret).json()["scope"].split()) == {"segments:read", "events:write"}


def test_a_client_does_not_get_a_scope_it_was_not_given() -> None:
    client, secret = make_client("segments:read")
    answer = ask(client, secret, scope="segments:read profiles:personal")
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_scope"


def test_a_wrong_secret_is_refused() -> None:
    client, _ = make_client("segments:read")
    answer = ask(client, "wrong")
    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    "grant",
    ["password", "authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "", "\0"],
)
def test_no_other_grant_is_open(grant: str) -> None:
    client, secret = make_client("segments:read")
    fields = {"grant_type": grant, "device_code": "a", "code": "a", "refresh_token": "a", "username": "a"}
    assert ask(client, secret, **fields).status_code == 400


@pytest.mark.parametrize(
    "form",
    [
        {"client_id": "\0", "client_secret": "a"},
        {"client_id": "a", "client_secret": "\0"},
        {"client_id": "a", "client_secret": "a", "scope": "\0"},
        {"client_id": "a" * 5_000, "client_secret": "a"},
        {"client_id": "https://client.example.com/metadata.json", "client_secret": "a"},
        {},
    ],
)
def test_malformed_requests_are_refused_without_a_crash(form: dict[str, str]) -> None:
    answer = Client().post(URL, {"grant_type": "client_credentials", **form})
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] in {"invalid_request", "invalid_client"}


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_post_is_answered(method: str) -> None:
    assert getattr(Client(), method)(URL).status_code == 405


def test_the_secret_is_stored_hashed_and_the_creation_logged() -> None:
    client, secret = make_client("segments:read")
    client.refresh_from_db()
    assert secret not in client.client_secret
    leaf = AuditLeaf.objects.get(action="api_client.created")
    assert secret.encode() not in bytes(leaf.data)
    assert leaf.object_id == client.client_id


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"hash_client_secret": False}, "api_client_secret_is_hashed"),
        ({"client_secret": ""}, "api_client_secret_is_hashed"),
        ({"client_type": "public"}, "api_client_uses_client_credentials"),
        ({"authorization_grant_type": "password"}, "api_client_uses_client_credentials"),
        ({"client_id": "a:b"}, "api_client_id_is_plain"),
        ({"client_id": "a" * 101}, "api_client_id_is_plain"),
    ],
)
def test_the_database_holds_clients_to_the_one_grant_and_to_hashed_secrets(
    changes: dict[str, Any], constraint: str
) -> None:
    client, _ = make_client("segments:read")
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ApiClient.objects.filter(pk=client.pk).update(**changes)


def test_the_command_prints_credentials_that_work(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_api_client", "Shop", scopes="segments:read, events:write")
    printed = dict(line.split("=", 1) for line in capsys.readouterr().out.split())
    client = ApiClient.objects.get(client_id=printed["CLIENT_ID"])
    assert client.scopes == ["events:write", "segments:read"]
    assert ask(client, printed["CLIENT_SECRET"]).status_code == 200


@pytest.mark.parametrize(
    ("name", "scopes", "said"),
    [("Shop", "everything", "scopes: everything"), ("Shop", ",", "none given"), (" ", "segments:read", "name")],
)
def test_the_command_says_what_is_wrong(name: str, scopes: str, said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("create_api_client", name, scopes=scopes)
    assert not ApiClient.objects.exists()
