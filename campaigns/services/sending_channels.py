"""Setting up the ways out, and trying one. Each leaves an audit leaf; no leaf holds a credential or an address."""

import secrets
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns import credentials
from campaigns.adapters import WITH_CREDENTIAL, Adapter, fits
from campaigns.channels import ChannelDownError, ChannelError, Outgoing, adapter_for
from campaigns.channels.gateway import listed
from campaigns.mime import Sender
from campaigns.models import SendingChannel
from campaigns.selectors.routes import route_of, rules_of
from campaigns.services.channel_health import Health
from compliance import addresses, webhooks
from compliance.channels import Channel
from compliance.services import audit
from compliance.services.downstream import LOOPBACK
from segments.address_kinds import ADDRESS_KINDS
from segments.selectors.profiles import current_id

STATUSES = range(100, 600)
LISTS_OF_STATUSES = ("success_statuses", "retryable_statuses", "unknown_statuses", "down_statuses")


class AddressNeededError(ValueError):
    """What staff gave is no address on this channel; the message says why."""


def problems(channel: SendingChannel, *, credential: str) -> dict[str, str]:
    """What keeps the channel from sending, by field; `credential` is the new one, or empty to keep the stored one."""
    config, found = channel.config, dict[str, str]()
    if not fits(channel.kind, channel.adapter):
        found["adapter"] = _("Messages of this kind cannot go out this way.")
    if channel.adapter == Adapter.MAIL and not channel.from_address:
        found["from_address"] = _("Mail needs a sender address.")
    if channel.kind == Channel.SMS and not channel.optout_text:
        found["optout_text"] = _("Each SMS has to say how to stop them.")
    if channel.adapter not in WITH_CREDENTIAL:
        return found
    if not credential and not channel.credential_encrypted:
        found["credential"] = _("This way out needs a credential.")
    if not config.get("url"):
        found["url"] = _("This way out needs the address it posts to.")
    elif urlsplit(config["url"]).scheme == "http" and urlsplit(config["url"]).hostname not in LOOPBACK:
        found["url"] = _("Use https: messages to people do not travel readable.")
    if channel.adapter == Adapter.WEBHOOK and credential:
        try:
            webhooks.headers(secret=credential, message_id="check", body=b"", now=datetime.now().astimezone())
        except webhooks.SignatureError as error:
            found["credential"] = str(error)
    if channel.adapter == Adapter.GATEWAY:
        found |= _problems_of_gateway(channel)
    return found


def _problems_of_gateway(channel: SendingChannel) -> dict[str, str]:
    config, found = channel.config, dict[str, str]()
    for name in LISTS_OF_STATUSES:
        if not all(one.isascii() and one.isdigit() and int(one) in STATUSES for one in listed(config.get(name, ""))):
            found[name] = _("Give HTTP statuses with commas between.")
    for name in ("recipient_field", "text_field"):
        if not config.get(name):
            found[name] = _("Without it nothing can be sent.")
    if (config.get("code_field") or config.get("results_field")) and not config.get("success_codes"):
        found["success_codes"] = _("Say which codes mean that a message was taken.")
    return found


@transaction.atomic
def save(*, channel: SendingChannel, credential: str, actor: str, now: datetime) -> SendingChannel:
    """Store a new or changed channel, in effect for the next batch. An empty `credential` keeps the stored one."""
    action = "channel.created" if channel.pk is None else "channel.changed"
    if channel.adapter not in WITH_CREDENTIAL:
        channel.credential_encrypted = None
    elif credential:
        channel.credential_encrypted = credentials.encrypt(channel.key, credential)
    learned = ("id", "last_success_at", "last_error_at", "last_error")
    names = [field.name for field in channel._meta.concrete_fields if field.name not in learned]
    channel.save(update_fields=names if channel.pk else None)
    details = {"kind": channel.kind, "adapter": channel.adapter, "is_active": channel.is_active}
    details |= {"new_credential": bool(credential)}
    audit.append(action=action, actor=actor, object_type="channel", object_id=channel.key, details=details, now=now)
    return channel


def try_out(*, channel: SendingChannel, address: str, actor: str, now: datetime) -> None:
    """Send a test message to an address given by staff; on a channel without addresses it is a person's public id.

    Raises `AddressNeededError`, or `ChannelError` with what the channel said. The audit leaf comes first, with a
    commitment to the address.
    """
    to_address, profile_id = _recipient(channel, address)
    details = {"address": audit.commit_to(to_address)}
    with transaction.atomic():
        audit.append(
            action="channel.tried", actor=actor, object_type="channel", object_id=channel.key, details=details, now=now
        )
    message = _test_message(channel, to_address, profile_id, now)
    health = Health(channel.pk)
    try:
        sender = Sender(channel.from_name, channel.from_address)
        with adapter_for(kind=channel.kind, sender=sender, route=route_of(channel)) as adapter:
            adapter.send(message)
    except ValueError as error:
        raise ChannelDownError(str(error)) from error
    except ChannelError as error:
        health.failed(str(error), now)
        raise
    else:
        health.succeeded(now)
    finally:
        health.write()


def _recipient(channel: SendingChannel, address: str) -> tuple[str, int]:
    kind = ADDRESS_KINDS.get(channel.kind)
    if kind is not None:
        try:
            return addresses.normalise(kind, address), 0
        except addresses.AddressError as error:
            raise AddressNeededError(str(error)) from error
    try:
        uid = UUID(address.strip())
    except ValueError:
        raise AddressNeededError(_("Give the public id of a person.")) from None
    profile_id = current_id(uid)
    if profile_id is None:
        raise AddressNeededError(_("There is no person with this public id."))
    return str(uid), profile_id


def _test_message(channel: SendingChannel, to_address: str, profile_id: int, now: datetime) -> Outgoing:
    text = _("Test message")
    return Outgoing(
        key=f"test.{secrets.token_hex(12)}",
        to_name="",
        to_address=to_address,
        subject=text,
        text=text + rules_of(channel).ending,
        html="",
        unsubscribe_url=settings.BASE_URL + reverse("compliance:unsubscribe", args=["test"]),
        date=now,
        profile_id=profile_id,
    )
