"""Letting partner systems in."""

from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from oauth2_provider.generators import generate_client_secret

from compliance.models import ApiClient
from compliance.services import audit

MAX_NAME = 255


class ApiClientError(ValueError):
    """The client cannot be made; `field` and `reason` say why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def create(*, name: str, scopes: Sequence[str], actor: str, now: datetime) -> tuple[ApiClient, str]:
    """Create a client for these scopes; returns it with its secret, which can be read this once only.

    Raises `ApiClientError`.
    """
    if not 0 < len(name.strip()) <= MAX_NAME:
        raise ApiClientError("name", f"is empty or longer than {MAX_NAME} characters")
    unknown = sorted(set(scopes) - set(settings.OAUTH2_SCOPES))
    if unknown or not scopes:
        known = ", ".join(settings.OAUTH2_SCOPES)
        raise ApiClientError("scopes", f"{', '.join(unknown) or 'none given'}; there are: {known}")
    secret: str = generate_client_secret()
    with transaction.atomic():
        client = ApiClient.objects.create(
            name=name.strip(),
            scopes=sorted(set(scopes)),
            client_type=ApiClient.CLIENT_CONFIDENTIAL,
            authorization_grant_type=ApiClient.GRANT_CLIENT_CREDENTIALS,
            client_secret=secret,
        )
        audit.append(
            action="api_client.created",
            actor=actor,
            object_type="api_client",
            object_id=client.client_id,
            details={"name": client.name, "scopes": client.scopes},
            now=now,
        )
    return client, secret


def remove(*, client: ApiClient, actor: str, now: datetime) -> None:
    """Shut a client out: its tokens end with it."""
    with transaction.atomic():
        audit.append(
            action="api_client.removed",
            actor=actor,
            object_type="api_client",
            object_id=client.client_id,
            details={"name": client.name, "scopes": client.scopes},
            now=now,
        )
        client.delete()
