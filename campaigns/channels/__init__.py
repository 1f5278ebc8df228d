"""The ways out: `adapter_for` gives the one that a sending channel names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from campaigns import credentials
from campaigns.adapters import ADAPTERS, Adapter, fits
from campaigns.channels.base import (
    ChannelAdapter,
    ChannelDownError,
    ChannelError,
    Outgoing,
    PermanentError,
    RetryableError,
    UnknownOutcomeError,
)
from campaigns.channels.django_backend import DjangoBackendAdapter
from campaigns.channels.email import EmailAdapter
from campaigns.channels.file import FileAdapter
from campaigns.channels.gateway import GatewayAdapter, GatewayConfig
from campaigns.channels.inbox import InboxAdapter
from campaigns.channels.webhook import WebhookAdapter, WebhookConfig
from campaigns.mime import Sender
from compliance.vault import VaultError

__all__ = [
    "SUPPORTED",
    "ChannelAdapter",
    "ChannelDownError",
    "ChannelError",
    "Outgoing",
    "PermanentError",
    "RetryableError",
    "Route",
    "UnknownOutcomeError",
    "adapter_for",
]

SUPPORTED = frozenset(str(kind) for kind in ADAPTERS)
SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


@dataclass(frozen=True, slots=True)
class Route:
    """What a sending channel says of its way out, free of the models. The credential is still encrypted."""

    channel_id: int = 0
    key: str = ""
    adapter: str = Adapter.MAIL
    config: Mapping[str, Any] = field(default_factory=dict)
    credential_encrypted: bytes = b""

    def credential(self) -> str:
        """Readable. Raises `ChannelDownError`."""
        try:
            return credentials.decrypt(self.key, self.credential_encrypted) if self.credential_encrypted else ""
        except VaultError as error:
            raise ChannelDownError("the credential cannot be read") from error


MAIL_ROUTE = Route()


def adapter_for(*, kind: str, sender: Sender, route: Route = MAIL_ROUTE) -> ChannelAdapter:
    """The adapter for a kind of channel, not opened yet.

    Raises `ValueError` where the kind has no such adapter, `ChannelDownError` when it is not set up.
    """
    if not fits(kind, route.adapter):
        raise ValueError(f"no adapter for channel {kind}")
    try:
        match route.adapter:
            case Adapter.GATEWAY:
                config = GatewayConfig.read(route.config)
                return GatewayAdapter(config, credential=route.credential(), sender=sender.name)
            case Adapter.WEBHOOK:
                return WebhookAdapter(WebhookConfig.read(route.config), route.credential())
            case Adapter.INBOX:
                return InboxAdapter(days=int(route.config.get("days", InboxAdapter.DAYS)))
            case Adapter.FILE:
                return FileAdapter(route.key)
    except (TypeError, ValueError) as error:
        raise ChannelDownError("the settings of the channel are incomplete") from error
    return EmailAdapter(sender) if settings.EMAIL_BACKEND == SMTP_BACKEND else DjangoBackendAdapter(sender)
