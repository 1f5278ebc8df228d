"""Factories of the campaigns models, and an audience with consents."""

from datetime import UTC, datetime
from typing import Any

import factory
from django.contrib.auth.models import Permission, User
from factory.django import DjangoModelFactory

from campaigns import credentials
from campaigns.content import content_of
from campaigns.models import (
    Batch,
    Campaign,
    CampaignKind,
    Delivery,
    MessageTemplate,
    Run,
    SendingChannel,
    SendWindow,
)  # fmt: skip
from campaigns.services import campaigns
from campaigns.states import DeliveryState
from compliance.channels import Channel
from compliance.models import ConsentAction, ConsentMethod, Notice
from compliance.services import consent
from segments.models import Profile
from segments.partitions import ensure_months, month_of
from segments.profile_input import ProfileInput
from segments.services import profiles
from tests.factories.compliance import NoticeFactory, PurposeFactory
from tests.factories.segments import SegmentFactory, SourceFactory, make_profile

DUE = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
BEFORE = datetime(2026, 2, 1, tzinfo=UTC)

TEXT = """\
Dear {{ profile.name | default: "customer" }},
see our offers: https://shop.example.com/offers
Stop these mails: {{ unsubscribe_url }}
"""
HTML = """\
<html><head><style>.button { color: #ff0000 }</style></head><body><p>Dear {{ profile.name }}</p>
<a class="button" href="https://shop.example.com/offers">Offers</a>
<a href="{{ unsubscribe_url }}">Stop</a></body></html>
"""


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        django_get_or_create = ("username",)

    username = "author"
    is_staff = True


class MessageTemplateFactory(DjangoModelFactory[MessageTemplate]):
    class Meta:
        model = MessageTemplate

    key = factory.Sequence(lambda number: f"template-{number}")
    name = "Offers"
    subject = "Offers for {{ profile.name | default: 'you' }}"
    text = TEXT
    html = HTML


class SendingChannelFactory(DjangoModelFactory[SendingChannel]):
    class Meta:
        model = SendingChannel

    key = factory.Sequence(lambda number: f"channel-{number}")
    name = "Shop mail"
    from_name = "The shop"
    from_address = "shop@example.com"


class CampaignFactory(DjangoModelFactory[Campaign]):
    class Meta:
        model = Campaign

    key = factory.Sequence(lambda number: f"campaign-{number}")
    name = "Spring offers"
    purpose = factory.SubFactory(PurposeFactory)
    segment = factory.SubFactory(SegmentFactory)
    template = factory.SubFactory(MessageTemplateFactory)
    channel = factory.SubFactory(SendingChannelFactory)
    scheduled_at = DUE


class RecurringCampaignFactory(CampaignFactory):
    """Every day at 09:00 in Berlin."""

    kind = CampaignKind.RECURRING
    scheduled_at = None
    minute = "0"
    hour = "9"
    day_of_month = "*"
    month_of_year = "*"
    day_of_week = "*"
    timezone = "Europe/Berlin"


class SendWindowFactory(DjangoModelFactory[SendWindow]):
    class Meta:
        model = SendWindow

    name = factory.Sequence(lambda number: f"window {number}")
    hours = "12:00-13:30, 20:00-22:00"


class RunFactory(DjangoModelFactory[Run]):
    class Meta:
        model = Run

    campaign = factory.SubFactory(CampaignFactory)
    scheduled_at = factory.SelfAttribute("campaign.scheduled_at")
    content = factory.LazyAttribute(lambda made: content_of(made.campaign).to_json())
    created_at = factory.SelfAttribute("scheduled_at")


class BatchFactory(DjangoModelFactory[Batch]):
    class Meta:
        model = Batch

    run = factory.SubFactory(RunFactory)
    first_profile = 1
    last_profile = 100
    due_at = factory.SelfAttribute("run.scheduled_at")


class DeliveryFactory(DjangoModelFactory[Delivery]):
    class Meta:
        model = Delivery

    run = factory.SubFactory(RunFactory)
    profile = factory.LazyFunction(make_profile)
    month = factory.LazyAttribute(lambda made: month_of(made.run.scheduled_at.astimezone(UTC)))
    channel = Channel.EMAIL
    state = DeliveryState.PLANNED
    due_at = factory.SelfAttribute("run.scheduled_at")
    changed_at = factory.SelfAttribute("run.scheduled_at")

    @classmethod
    def _create(cls, model_class: type[Delivery], *args: Any, **kwargs: Any) -> Delivery:
        ensure_months("campaigns_delivery", [kwargs["month"]])
        return super()._create(model_class, *args, **kwargs)


def make_approver(username: str = "approver") -> User:
    """A member of staff who may approve campaigns."""
    user = UserFactory(username=username)
    user.user_permissions.add(Permission.objects.get(codename="approve_campaign"))
    return User.objects.get(pk=user.pk)  # without the cache of permissions


def make_approved_campaign(**fields: Any) -> Campaign:
    """A campaign that the author submitted and another person approved."""
    campaign = CampaignFactory(**fields)
    campaigns.submit(campaign=campaign, user=UserFactory(), now=BEFORE)
    return campaigns.approve(campaign=campaign, user=make_approver(), now=BEFORE)


def make_recurring_campaign(*, approved_at: datetime = BEFORE, **fields: Any) -> Campaign:
    """A recurring campaign, approved at that time."""
    campaign = RecurringCampaignFactory(**fields)
    campaigns.submit(campaign=campaign, user=UserFactory(), now=approved_at)
    return campaigns.approve(campaign=campaign, user=make_approver(), now=approved_at)


def make_audience(count: int, *, consenting: bool = True) -> list[Profile]:
    """That many people with an e-mail address, who said yes to offers by e-mail unless `consenting` is false."""
    inputs = [
        ProfileInput(external_id=f"A{number}", email=f"reader-{number}@example.com", name=f"Reader {number}")
        for number in range(count)
    ]
    results = profiles.upsert_many(source=SourceFactory(), inputs=inputs, actor="test", now=BEFORE)
    ids = [result.profile_id for result in results]
    if consenting:
        give_consent(*[pk for pk in ids if pk is not None])
    return list(Profile.objects.filter(pk__in=ids).order_by("pk"))


def make_people_with_phones(count: int, *, channel: str = Channel.SMS) -> list[Profile]:
    """That many people with a phone number, who said yes to offers on the channel."""
    inputs = [
        ProfileInput(external_id=f"P{number}", phone=f"+861380000{number:04}", name=f"Reader {number}")
        for number in range(count)
    ]
    results = profiles.upsert_many(source=SourceFactory(), inputs=inputs, actor="test", now=BEFORE)
    ids = [result.profile_id for result in results if result.profile_id is not None]
    give_consent(*ids, channel=channel)
    return list(Profile.objects.filter(pk__in=ids).order_by("pk"))


def make_channel(kind: str, adapter: str, *, credential: str = "", **fields: Any) -> SendingChannel:
    """A sending channel with a template of its kind in mind."""
    channel = SendingChannelFactory(kind=kind, adapter=adapter, from_address="", **fields)
    if credential:
        channel.credential_encrypted = credentials.encrypt(channel.key, credential)
        channel.save()
    return channel


def give_consent(
    *profile_ids: int, at: datetime = BEFORE, expires_at: datetime | None = None, channel: str = Channel.EMAIL
) -> None:
    """Record that these people said yes to offers, by e-mail unless the channel is another."""
    purpose = PurposeFactory()
    notice = Notice.objects.filter(purpose=purpose).first() or NoticeFactory(purpose=purpose)
    consent.record_many(
        decisions=[
            consent.Decision(
                subject_id=pk, purpose_id=purpose.pk, channel=channel, action=ConsentAction.GIVEN,
                method=ConsentMethod.FORM, notice_id=notice.pk, source="test", occurred_at=at, expires_at=expires_at,
            )
            for pk in profile_ids
        ],
        actor="test", now=at,
    )  # fmt: skip
