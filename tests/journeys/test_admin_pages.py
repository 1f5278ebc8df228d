"""Every admin page in a real browser: it opens, says nothing wrong in the console, and loads nothing from elsewhere."""

import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from campaigns.models import Campaign
from compliance.kit import verify
from compliance.models import AuditLeaf, ConsentState
from segments.models import Profile
from tests.journeys.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def name_of(model: type, page: str) -> str:
    return f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}"


def confirm(page: Page, action: str, submit: str) -> None:
    """Press an action of a page and confirm its dialog."""
    page.get_by_text(action, exact=True).first.click()
    with page.expect_navigation(wait_until="networkidle"):
        page.locator("#dialog button[type=submit]").get_by_text(submit, exact=True).click()


def test_every_page_opens(watched: Watched, superuser: User, installation: Campaign, screenshots: Path) -> None:
    watched.sign_in(superuser)
    watched.page.screenshot(path=screenshots / "index.png")
    for model, pages in admin.site._registry.items():
        label = model._meta.label_lower
        watched.open(reverse(name_of(model, "changelist")))
        watched.page.screenshot(path=screenshots / f"{label}.list.png")
        row = model._default_manager.order_by("pk").last()
        if row is not None:
            watched.open(reverse(name_of(model, "change"), args=[row.pk]))
            watched.page.screenshot(path=screenshots / f"{label}.change.png", full_page=True)
        if pages.has_add_permission(_request(superuser)):
            watched.open(reverse(name_of(model, "add")))
            watched.page.screenshot(path=screenshots / f"{label}.add.png", full_page=True)
        assert watched.problems == [], label


def _request(user: User) -> object:
    request = RequestFactory().get("/")
    request.user = user
    return request


def test_pages_speak_chinese(watched: Watched, superuser: User, installation: Campaign, screenshots: Path) -> None:
    watched.sign_in(superuser)
    watched.page.context.add_cookies([{"name": "django_language", "value": "zh-hans", "url": watched.base}])
    page = watched.open(reverse("admin:campaigns_campaign_change", args=[installation.pk]))
    page.screenshot(path=screenshots / "campaign.zh.png", full_page=True)
    expect(page.get_by_text("为何未发送")).to_be_visible()
    assert watched.problems == []


def test_a_campaign_goes_from_draft_to_approval_by_two_people(
    watched: Watched, superuser: User, installation: Campaign
) -> None:
    draft = Campaign.objects.create(
        key="summer", name="Summer offers", purpose=installation.purpose, segment=installation.segment,
        template=installation.template, channel=installation.channel, scheduled_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    url = reverse("admin:campaigns_campaign_change", args=[draft.pk])
    watched.sign_in(superuser)
    confirm(watched.open(url), "Submit for approval", "Submit")
    expect(watched.page.get_by_text("Waiting for approval").first).to_be_visible()
    confirm(watched.open(url), "Approve", "Approve")
    draft.refresh_from_db()
    assert draft.state == "submitted"  # not by the same person
    second = User.objects.create_superuser("second", "second@example.com", "correct horse battery staple")
    watched.page.context.clear_cookies()
    watched.sign_in(second)
    confirm(watched.open(url), "Approve", "Approve")
    draft.refresh_from_db()
    assert (draft.state, draft.approved_by) == ("approved", second)
    assert watched.problems == []


def test_names_are_masked_and_a_look_is_logged(watched: Watched, superuser: User, installation: Campaign) -> None:
    person = Profile.objects.order_by("pk").first()
    assert person is not None
    watched.sign_in(superuser)
    page = watched.open(reverse("admin:segments_profile_changelist"))
    expect(page.get_by_text("P***").first).to_be_visible()
    assert "person-0@example.com" not in page.content()
    page = watched.open(reverse("admin:segments_profile_change", args=[person.pk]))
    assert "person-0@example.com" not in page.content()
    assert not AuditLeaf.objects.filter(action="profile.personal_data_viewed").exists()
    page.get_by_text("Show name and addresses").first.click()
    expect(page.get_by_text("person-0@example.com")).to_be_visible()
    assert AuditLeaf.objects.get(action="profile.personal_data_viewed").actor == "user:admin"


def test_people_are_found_by_a_whole_address(watched: Watched, superuser: User, installation: Campaign) -> None:
    watched.sign_in(superuser)
    page = watched.open(reverse("admin:segments_profile_changelist") + "?q=PERSON-3@example.com")
    expect(page.locator("#result_list tbody tr")).to_have_count(1)


def test_a_consent_is_withdrawn_on_request(watched: Watched, superuser: User, installation: Campaign) -> None:
    state = ConsentState.objects.filter(action="given").order_by("pk").last()
    assert state is not None
    watched.sign_in(superuser)
    page = watched.open(reverse("admin:compliance_consentstate_change", args=[state.pk]))
    page.get_by_text("Withdraw on the person's request").first.click()
    page.locator("#dialog input[name=source]").fill("telephone call")
    page.locator("#dialog button[type=submit]").click()
    expect(page.get_by_text("The consent is withdrawn.")).to_be_visible()
    state.refresh_from_db()
    assert (state.action, state.record.recorded_by) == ("withdrawn", "user:admin")


def test_an_auditor_downloads_the_export_and_verifies_the_log(
    watched: Watched, superuser: User, installation: Campaign, tmp_path: Path
) -> None:
    watched.sign_in(superuser)
    page = watched.open(reverse("admin:compliance_consentrecord_changelist"))
    page.get_by_text("Export for auditors").first.click()
    files = []
    for _ in range(2):
        with page.expect_download() as download:
            page.get_by_role("button", name="Download").click()
        files.append(Path(download.value.path()).read_bytes())
    assert files[0] == files[1]
    page = watched.open(reverse("admin:compliance_auditleaf_changelist"))
    page.get_by_text("Evidence kit").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(tmp_path / "kit")
    assert verify.main([str(tmp_path / "kit")]) == 0
    confirm(watched.open(reverse("admin:compliance_auditleaf_changelist")), "Verify now", "Verify")
    expect(page.get_by_text("The audit log is whole")).to_be_visible()
