"""Clients of the API, and calls in their name."""

import functools
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.test import Client
from oauth2_provider.models import AccessToken, set_token_value

from compliance.models import ApiClient
from compliance.services import api_clients

NOW = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


def make_client(*scopes: str, name: str = "Shop") -> tuple[ApiClient, str]:
    """A client for these scopes (all when none are given), and its secret."""
    return api_clients.create(name=name, scopes=scopes or list(settings.OAUTH2_SCOPES), actor="test", now=NOW)


@functools.cache
def _hashed_secret() -> str:
    """One for all clients whose secret no test needs: hashing takes its time on purpose."""
    return make_password(secrets.token_urlsafe())


def _quick_client(scopes: Sequence[str]) -> ApiClient:
    return ApiClient.objects.create(
        name="Shop",
        scopes=sorted(scopes),
        client_type=ApiClient.CLIENT_CONFIDENTIAL,
        authorization_grant_type=ApiClient.GRANT_CLIENT_CREDENTIALS,
        client_secret=_hashed_secret(),
    )


def make_token(*scopes: str, client: ApiClient | None = None, expires_in: timedelta = timedelta(hours=1)) -> str:
    """A token as the token endpoint makes them, without the cost of checking a secret."""
    raw = secrets.token_urlsafe(24)
    token = AccessToken(
        application=client or _quick_client(scopes),
        scope=" ".join(scopes),
        expires=datetime.now(UTC) + expires_in,
    )
    set_token_value(token, raw)
    token.save()
    return raw


def api(*scopes: str, **kwargs: Any) -> Client:
    """A test client that sends a token with these scopes."""
    return Client(headers={"Authorization": f"Bearer {make_token(*scopes, **kwargs)}"})


def post(client: Client, path: str, body: Any, **headers: str) -> Any:
    """POST JSON to a path below /api/v1/."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json", headers=named)
