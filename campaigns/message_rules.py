"""What a message needs on each kind of channel. Pure."""

from dataclasses import dataclass

from campaigns.adapters import MAX_LENGTH
from compliance.channels import Channel


@dataclass(frozen=True, slots=True)
class MessageRules:
    """`ending` is put behind each text, on a channel where people stop messages by answering; it counts.

    `max_length` counts characters, with the ending; None is no limit. `has_link`: each part shows the unsubscribe link.
    """

    has_link: bool
    needs_subject: bool
    has_html: bool
    ending: str = ""
    max_length: int | None = None


def rules_for(kind: str, *, ending: str = "", max_length: int | None = None) -> MessageRules:
    """The rules of a kind of channel, with what the sending channel says of ending and length."""
    is_mail = kind == Channel.EMAIL
    return MessageRules(
        has_link=is_mail,
        needs_subject=kind in (Channel.EMAIL, Channel.INAPP),
        has_html=is_mail,
        ending=ending if kind == Channel.SMS else "",
        max_length=max_length or MAX_LENGTH.get(kind),
    )


MAIL = rules_for(Channel.EMAIL)
