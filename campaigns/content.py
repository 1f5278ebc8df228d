"""What a person approves when approving a campaign, and its digest."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import rfc8785

from campaigns.hours import Timing
from campaigns.mime import Sender
from campaigns.models import Campaign


@dataclass(frozen=True)
class Content:
    """All that a message is made of but the person, as plain text: stored with a run when it is launched."""

    campaign_name: str
    language: str
    subject: str
    text: str
    html: str
    from_name: str
    from_address: str

    @property
    def sender(self) -> Sender:
        return Sender(self.from_name, self.from_address)

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def content_of(campaign: Campaign) -> Content:
    """The content as it stands now."""
    template, channel = campaign.template, campaign.channel
    return Content(
        campaign_name=campaign.name,
        language=template.language,
        subject=template.subject,
        text=template.text,
        html=template.html,
        from_name=channel.from_name,
        from_address=channel.from_address,
    )


def timing_of(campaign: Campaign) -> Timing:
    """What the campaign says about hours as it stands now."""
    window = campaign.window
    if window is None:
        return Timing(latest_hours=campaign.latest_hours)
    return Timing(window=window.hours, weekdays=tuple(sorted(window.weekdays)), latest_hours=campaign.latest_hours)


def digest(campaign: Campaign) -> str:
    """SHA-256, in hex, of everything an approval covers: what is said, to whom, why, on which channel and when."""
    covered: dict[str, Any] = {
        "content": content_of(campaign).to_json(),
        "purpose": campaign.purpose.key,
        "segment": {"key": campaign.segment.key, "definition": campaign.segment.definition},
        "channel": {"key": campaign.channel.key, "kind": campaign.channel.kind},
        "template": {"key": campaign.template.key, "kind": campaign.template.kind},
        "timing": timing_of(campaign).to_json(),
        "scheduled_at": campaign.scheduled_at.isoformat(),
    }
    return hashlib.sha256(rfc8785.dumps(covered)).hexdigest()
