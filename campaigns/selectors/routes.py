"""What of a sending channel an adapter needs, and what a template may hold to go out on it."""

from campaigns.channels import Route
from campaigns.message_rules import MessageRules, rules_for
from campaigns.models import SendingChannel


def route_of(channel: SendingChannel) -> Route:
    """The way out as it is set up now; the credential stays encrypted."""
    return Route(
        channel_id=channel.pk,
        key=channel.key,
        adapter=channel.adapter,
        config=channel.config,
        credential_encrypted=bytes(channel.credential_encrypted or b""),
    )


def rules_of(channel: SendingChannel) -> MessageRules:
    """What messages on this channel must be like."""
    return rules_for(channel.kind, ending=channel.optout_text, max_length=channel.max_length)


def most_generous_rules(kind: str) -> MessageRules:
    """Those of the active channel with most room: of a template nobody knows yet on which channel it goes."""
    channels = SendingChannel.objects.filter(kind=kind, is_active=True)
    found = [rules_of(channel) for channel in channels]
    return max(found, key=lambda rules: (rules.max_length or 0) - len(rules.ending), default=rules_for(kind))
