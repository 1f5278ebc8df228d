"""The pages of a campaign in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Campaign, Run
from compliance.models import AuditLeaf
from config import roles
from tests.factories.campaigns import CampaignFactory, RecurringCampaignFactory, UserFactory, make_recurring_campaign

pytestmark = pytest.mark.django_db

ADD = reverse("admin:campaigns_campaign_add")
LIST = reverse("admin:campaigns_campaign_changelist")
RECURRING = {
    "kind": "recurring", "minute": "30", "hour": "9", "day_of_month": "*", "month_of_year": "*", "day_of_week": "1",
    "timezone": "Europe/Berlin", "latest_hours": "24",
    "starts_at_0": "", "starts_at_1": "", "ends_at_0": "", "ends_at_1": "",
}  # fmt: skip


def page(campaign: Campaign) -> str:
    return reverse("admin:campaigns_campaign_change", args=[campaign.pk])


def form(**fields: str) -> dict[str, Any]:
    model = CampaignFactory()
    return {
        "key": "weekly", "name": "Weekly", "purpose": model.purpose_id, "segment": model.segment_id,
        "template": model.template_id, "channel": model.channel_id, **RECURRING, **fields,
    }  # fmt: skip


def act(client: Client, campaign: Campaign, name: str, **fields: str) -> None:
    url = reverse(f"admin:campaigns_campaign_{name}", args=[campaign.pk])
    client.post(url, {"_form_submitted": "on", **fields}, HTTP_HX_REQUEST="true")
    campaign.refresh_from_db()


def test_a_recurring_campaign_is_saved_and_its_times_are_shown(admin_client: Client) -> None:
    assert admin_client.post(ADD, form()).status_code == 302
    campaign = Campaign.objects.get(key="weekly")
    assert (campaign.kind, campaign.minute, campaign.scheduled_at) == ("recurring", "30", None)
    shown = admin_client.get(page(campaign)).content.decode()
    assert shown.count("<li>Monday, ") == 5
    assert "9:30 a.m." in shown


def test_a_campaign_sent_once_keeps_nothing_of_a_crontab(admin_client: Client) -> None:
    fields = form(kind="once", scheduled_at_0="2026-05-01", scheduled_at_1="09:00", may_overlap="on")
    assert admin_client.post(ADD, fields).status_code == 302
    campaign = Campaign.objects.get(key="weekly")
    assert (campaign.minute, campaign.timezone, campaign.may_overlap) == ("", "", False)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"minute": "*"}, "minute"),
        ({"minute": ""}, "minute"),
        ({"hour": "25"}, "hour"),
        ({"day_of_month": "31", "month_of_year": "2"}, "day_of_month"),
        ({"timezone": ""}, "timezone"),
        ({"timezone": "Mars"}, "timezone"),
        ({"ends_at_0": "2020-01-01", "ends_at_1": "00:00"}, "ends_at"),
        ({"kind": "once"}, "scheduled_at"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(admin_client: Client, fields: dict[str, str], field: str) -> None:
    answer = admin_client.post(ADD, form(**fields))
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not Campaign.objects.filter(key="weekly").exists()


def test_the_preview_follows_the_form(admin_client: Client) -> None:
    url = reverse("admin:campaigns_campaign_next_times")
    shown = admin_client.get(url, {**RECURRING, "ends_at_0": "2099-01-01", "ends_at_1": "1"}).content.decode()
    assert shown.count("<li>Monday, ") == 5
    assert "more often than every 15 minutes" in admin_client.get(url, {**RECURRING, "minute": "*"}).content.decode()
    assert admin_client.get(url).status_code == 200
    stranger = Client()
    stranger.force_login(UserFactory(username="nobody"))
    assert stranger.get(url).status_code == 403


def test_the_list_names_the_next_time(admin_client: Client) -> None:
    campaign = make_recurring_campaign(approved_at=timezone.now(), minute="17", hour="13", timezone="Asia/Shanghai")
    RecurringCampaignFactory()
    CampaignFactory()
    shown = admin_client.get(LIST).content.decode()
    assert campaign.next_at is not None
    assert "1:17 p.m." in shown


def test_runs_and_skipped_times_stand_on_the_page(admin_client: Client) -> None:
    campaign = make_recurring_campaign()
    now = timezone.now()
    Run.objects.create(campaign=campaign, scheduled_at=now, created_at=now, state="finished", planned=4711)
    Run.objects.create(
        campaign=campaign, scheduled_at=now - timedelta(days=1), created_at=now, state="skipped", reason="still_sending"
    )
    shown = admin_client.get(page(campaign)).content.decode()
    assert "4711" in shown
    assert "Skipped: The run before was still sending" in shown
    assert "Next time:" in shown


def test_paused_and_resumed_by_action(client: Client) -> None:
    roles.apply_roles()
    campaign = make_recurring_campaign(approved_at=timezone.now())
    for role in ("Analyst", "Marketing"):
        user = User.objects.create_user(role, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        act(client, campaign, "pause")
        assert campaign.state == ("approved" if role == "Analyst" else "paused")
    assert "Nothing goes out until it is resumed" in client.get(page(campaign)).content.decode()
    act(client, campaign, "resume")
    assert campaign.state == "running"
    assert campaign.next_at is not None
    actions = AuditLeaf.objects.filter(object_id=str(campaign.uid)).values_list("action", flat=True)
    assert {"campaign.paused", "campaign.resumed"} <= set(actions)


def test_a_draft_whose_run_is_still_being_sent_is_not_edited(admin_client: Client) -> None:
    campaign = RecurringCampaignFactory()
    Run.objects.create(campaign=campaign, scheduled_at=timezone.now(), created_at=timezone.now(), state="sending")
    assert admin_client.post(page(campaign), form(key=campaign.key)).status_code == 403
