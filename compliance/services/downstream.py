"""The systems that have to learn of withdrawals."""

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from compliance import keys, vault, webhooks
from compliance.models import ApiClient, DownstreamSystem
from compliance.services import audit

LABEL = "webhook secrets"
LOOPBACK = ("127.0.0.1", "::1", "localhost")  # for trials


def create(
    *, key: str, name: str, url: str, client: ApiClient | None, wants_consents: bool, actor: str, now: datetime
) -> tuple[DownstreamSystem, str]:
    """Create a system; returns it with the secret that signs its webhooks, to be shown once.

    Raises `ValidationError` by field.
    """
    secret = webhooks.new_secret()
    system = DownstreamSystem(
        key=key, name=name, url=url, client=client, wants_consents=wants_consents, created_at=now,
        secret_encrypted=_encrypted(key, secret),
    )  # fmt: skip
    _check(system)
    with transaction.atomic():
        system.save()
        _leaf(system, "downstream.created", actor=actor, now=now, wants_consents=wants_consents)
    return system, secret


def change(
    *, system: DownstreamSystem, name: str, url: str, client: ApiClient | None, wants_consents: bool, is_active: bool,
    actor: str, now: datetime,
) -> DownstreamSystem:  # fmt: skip
    """Change how a system is reached. An inactive one gets nothing new; what it has not acknowledged stays open.

    Raises `ValidationError` by field.
    """
    with transaction.atomic():
        locked = DownstreamSystem.objects.select_for_update().get(pk=system.pk)
        locked.name, locked.url, locked.client = name, url, client
        locked.wants_consents, locked.is_active = wants_consents, is_active
        _check(locked)
        locked.save()
        _leaf(locked, "downstream.changed", actor=actor, now=now, wants_consents=wants_consents, is_active=is_active)
    return locked


def renew_secret(*, system: DownstreamSystem, actor: str, now: datetime) -> str:
    """Replace the secret, in effect at once; returns the new one, to be shown once."""
    secret = webhooks.new_secret()
    with transaction.atomic():
        locked = DownstreamSystem.objects.select_for_update().get(pk=system.pk)
        locked.secret_encrypted = _encrypted(locked.key, secret)
        locked.save(update_fields=["secret_encrypted"])
        _leaf(locked, "downstream.secret_renewed", actor=actor, now=now)
    return secret


def secret_of(system: DownstreamSystem) -> str:
    """The secret that signs the system's webhooks. Raises `VaultError`."""
    return vault.decrypt(vault.derive(keys.master_key(), LABEL), bytes(system.secret_encrypted), system.key)


def check_url(url: str) -> None:
    """What is sent tells of people's decisions, so it does not travel readable. Raises `ValidationError`."""
    address = urlsplit(url)
    if address.scheme == "http" and address.hostname not in LOOPBACK:
        raise ValidationError(_("Use https: what is sent tells of people's decisions."))


def _check(system: DownstreamSystem) -> None:
    """Raises `ValidationError` by field."""
    system.full_clean()
    try:
        check_url(system.url)
    except ValidationError as error:
        raise ValidationError({"url": error}) from error


def _encrypted(key: str, secret: str) -> bytes:
    return vault.encrypt(vault.derive(keys.master_key(), LABEL), secret, key)


def _leaf(system: DownstreamSystem, action: str, *, actor: str, now: datetime, **details: Any) -> None:
    audit.append(action=action, actor=actor, object_type="downstream", object_id=system.key, details=details, now=now)
