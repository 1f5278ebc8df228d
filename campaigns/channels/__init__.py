"""The ways out, by kind of channel."""

from django.conf import settings

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
from campaigns.mime import Sender
from compliance.channels import Channel

__all__ = [
    "SUPPORTED",
    "ChannelAdapter",
    "ChannelDownError",
    "ChannelError",
    "Outgoing",
    "PermanentError",
    "RetryableError",
    "UnknownOutcomeError",
    "adapter_for",
]

SUPPORTED = frozenset({Channel.EMAIL.value})
SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


def adapter_for(*, kind: str, sender: Sender) -> ChannelAdapter:
    """The adapter for a kind of channel, not opened yet. Raises `ValueError` for kinds outside `SUPPORTED`."""
    if kind not in SUPPORTED:
        raise ValueError(f"no adapter for channel {kind}")
    return EmailAdapter(sender) if settings.EMAIL_BACKEND == SMTP_BACKEND else DjangoBackendAdapter(sender)
