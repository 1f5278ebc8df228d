"""What the demo's marketing team set up: a purpose with its notice, a sender, five segments, two campaigns."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, User

from campaigns.models import Campaign, MessageTemplate, SendingChannel
from campaigns.services import campaigns
from compliance.models import Notice, Purpose
from compliance.services import notices
from config import roles
from segments.models import Segment
from segments.services import segments

NOTICE_TEXT = """\
We would like to write to you by e-mail about offers that suit what you buy. We use your purchases to choose them.
You may say no at any time with one click in any message; nothing else changes for you when you do."""

SEGMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "loyal": (
        "Loyal households",
        {"all": [{"rfm": "frequency", "op": "gte", "value": 4}, {"rfm": "recency", "op": "gte", "value": 3}]},
    ),
    "big-spenders": (
        "Spent 300 or more in 90 days",
        {"event": "purchase", "measure": "sum", "op": "gte", "value": 300, "window": {"days": 90}},
    ),
    "slipping-away": (
        "Slipping away",
        {
            "all": [
                {"stat": "order_count", "op": "gte", "value": 30},
                {"stat": "last_order_at", "op": "lt", "value": {"days_ago": 28}},
            ]
        },
    ),
    "families": (
        "Households with children",
        {"attribute": "attributes.kids_count", "op": "in", "value": ["1", "2", "3+"]},
    ),
    "coffee-drinkers": (
        "Coffee drinkers",
        {
            "event": "purchase",
            "measure": "occasions",
            "op": "gte",
            "value": 3,
            "category": "COFFEE",
            "window": {"days": 182},
        },
    ),
}

CAMPAIGNS = {
    "loyalty-thanks": ("Thank-you for loyal households", "loyal"),
    "winter-pantry": ("Winter pantry offers", "big-spenders"),
}

TEXT = """\
Dear {{ profile.name }},

thank you for shopping with us. See what we picked for you: https://shop.example.com/offers

You get this mail because you said yes to offers by e-mail. To stop them: {{ unsubscribe_url }}
"""
HTML = """\
<html><head><style>.button { background: #4f46e5; color: #ffffff; padding: 10px 18px; text-decoration: none; }</style>
</head><body>
<p>Dear {{ profile.name }},</p>
<p>thank you for shopping with us.</p>
<p><a class="button" href="https://shop.example.com/offers">See what we picked for you</a></p>
<p><small>You get this mail because you said yes to offers by e-mail.
<a href="{{ unsubscribe_url }}">Stop these mails</a></small></p>
</body></html>
"""


def notice(*, actor: str, now: datetime) -> Notice:
    """The notice that the synthetic consents refer to, published once."""
    purpose, _ = Purpose.objects.get_or_create(key="offers", defaults={"name": "Offers and news"})
    found = Notice.objects.filter(purpose=purpose, version=1, language="en").first()
    return found or notices.publish(purpose=purpose, version=1, language="en", text=NOTICE_TEXT, actor=actor, now=now)


def build_segments(*, actor: str, now: datetime) -> dict[str, Segment]:
    """Create the segments that are not there yet and refresh all of them."""
    for key, (name, definition) in SEGMENTS.items():
        if not Segment.objects.filter(key=key).exists():
            segments.create(key=key, name=name, definition=definition, actor=actor, now=now)
    found = {segment.key: segment for segment in Segment.objects.filter(key__in=SEGMENTS)}
    for segment in found.values():
        segments.refresh(segment=segment, actor=actor, now=now)
        segment.refresh_from_db()
    return found


def approved_campaign(*, key: str, purpose: Purpose, now: datetime) -> Campaign:
    """The campaign named `key`, written by one person and approved by another, due now; or as it is, when it exists."""
    found = Campaign.objects.filter(key=key).first()
    if found is not None:
        return found
    name, segment_key = CAMPAIGNS[key]
    channel, _ = SendingChannel.objects.get_or_create(
        key="demo-mail",
        defaults={"name": "Demo mail", "from_name": "Heed demo", "from_address": "offers@example.com"},
    )
    template, _ = MessageTemplate.objects.get_or_create(
        key=key,
        defaults={"name": name, "subject": "{{ profile.name }}, this is for you", "text": TEXT, "html": HTML},
    )
    campaign = Campaign.objects.create(
        key=key,
        name=name,
        purpose=purpose,
        segment=Segment.objects.get(key=segment_key),
        template=template,
        channel=channel,
        scheduled_at=now,
    )
    campaigns.submit(campaign=campaign, user=_person("demo-marketing", "Marketing"), now=now)
    campaigns.approve(campaign=campaign, user=_person("demo-compliance", "Compliance officer"), now=now)
    return campaign


def _person(username: str, role: str) -> User:
    """A member of staff in the story. Nobody can sign in as them: they have no password."""
    roles.apply_roles()
    user, created = User.objects.get_or_create(username=username, defaults={"is_staff": True})
    if created:
        user.set_unusable_password()
        user.save()
        user.groups.add(Group.objects.get(name=role))
    return user
