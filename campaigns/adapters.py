"""Which ways out there are for each kind of channel, and how long a message may be there. Pure."""

from collections.abc import Mapping

from django.db import models
from django.utils.translation import gettext_lazy as _

from compliance.channels import Channel


class Adapter(models.TextChoices):
    MAIL = "mail", _("Mail server of the installation")
    GATEWAY = "gateway", _("HTTP gateway")
    WEBHOOK = "webhook", _("Signed webhook")
    INBOX = "inbox", _("Inbox, read over the API")
    FILE = "file", _("File, for trials")


ADAPTERS: Mapping[str, tuple[Adapter, ...]] = {
    Channel.EMAIL: (Adapter.MAIL, Adapter.FILE),
    Channel.SMS: (Adapter.GATEWAY, Adapter.FILE),
    Channel.INAPP: (Adapter.INBOX, Adapter.FILE),
    Channel.WEBHOOK: (Adapter.WEBHOOK, Adapter.FILE),
}

WITH_CREDENTIAL = frozenset({Adapter.GATEWAY, Adapter.WEBHOOK})

MAX_LENGTH: Mapping[str, int] = {Channel.SMS: 30, Channel.PUSH: 50}
"""Characters of a message, as is the custom in China, unless the sending channel says otherwise."""


def fits(kind: str, adapter: str) -> bool:
    """Whether messages of this kind can go out by this adapter."""
    return adapter in ADAPTERS.get(kind, ())
