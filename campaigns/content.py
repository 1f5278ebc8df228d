"""What a person approves when approving a campaign, and its digest."""

import hashlib
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import datetime
from typing import Any

import rfc8785

from campaigns.hours import Timing
from campaigns.message_rules import MessageRules, rules_for
from campaigns.mime import Sender
from campaigns.models import Campaign, CampaignKind
from compliance.channels import Channel


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
    kind: str = Channel.EMAIL.value
    ending: str = ""
    max_length: int | None = None

    @property
    def sender(self) -> Sender:
        return Sender(self.from_name, self.from_address)

    @property
    def rules(self) -> MessageRules:
        return rules_for(self.kind, ending=self.ending, max_length=self.max_length)

    def to_json(self) -> dict[str, Any]:
        """Without what is as it is for mail, so that approvals from before there were other channels still count."""
        optional = {field.name: field.default for field in fields(self) if field.default is not MISSING}
        return {name: value for name, value in asdict(self).items() if optional.get(name, MISSING) != value}


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
        kind=channel.kind,
        ending=channel.optout_text if channel.kind == Channel.SMS else "",
        max_length=channel.max_length,
    )


def timing_of(campaign: Campaign) -> Timing:
    """What the campaign says about hours as it stands now."""
    window = campaign.send_window
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
        **_schedule(campaign),
    }
    return hashlib.sha256(rfc8785.dumps(covered)).hexdigest()


def _schedule(campaign: Campaign) -> dict[str, Any]:
    if campaign.kind == CampaignKind.RECURRING:
        bounds = {"starts_at": _time(campaign.starts_at), "ends_at": _time(campaign.ends_at)}
        return {"recurring": {**campaign.crontab.to_json(), **bounds, "may_overlap": campaign.may_overlap}}
    return {"scheduled_at": _time(campaign.scheduled_at)}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
