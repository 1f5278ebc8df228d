"""Lists, versions and history of segments in a real browser."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from campaigns.models import Campaign
from segments.models import Segment
from segments.services import segment_uploads, segments
from tests.journeys.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_list_is_made_filled_and_looked_at(
    watched: Watched, superuser: User, installation: Campaign, screenshots: Path
) -> None:
    watched.sign_in(superuser)
    page = watched.open(reverse("admin:segments_segment_add"))
    page.locator("#id_key").fill("friends")
    page.locator("#id_name").fill("Friends")
    page.locator("#id_kind").select_option("uploaded")
    with page.expect_navigation(wait_until="networkidle"):
        page.locator("button[name=_continue]").first.click()
    page.get_by_text("Upload members", exact=True).first.click()
    page.locator("#id_identifier").select_option("email")
    page.locator("#id_source").select_option(label="shop")
    page.locator("#id_pasted").fill("person-1@example.com\nperson-2@example.com\nnobody@example.com")
    page.screenshot(path=screenshots / "segment.upload.png", full_page=True)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_text("The list is read within seconds.")).to_be_visible()
    assert segment_uploads.take_in_waiting(now=timezone.now(), actor="system") == 1
    segment = Segment.objects.get(key="friends")
    assert (segment.kind, segment.member_count) == ("uploaded", 2)
    page = watched.open(reverse("admin:segments_segment_change", args=[segment.pk]))
    expect(page.get_by_text("Finished")).to_be_visible()
    page.screenshot(path=screenshots / "segment.uploaded.png", full_page=True)
    page.get_by_text("Entries and exits", exact=True).last.click()
    expect(page.locator("#result_list tbody tr")).to_have_count(2)
    page.screenshot(path=screenshots / "segment.history.png", full_page=True)
    assert watched.problems == []


def test_two_versions_are_compared_and_the_older_comes_back(
    watched: Watched, superuser: User, installation: Campaign, screenshots: Path
) -> None:
    segment = installation.segment
    before = segment.definition
    narrower = {"all": [{"attribute": "city", "op": "eq", "value": "Wuhan"}]}
    segments.change_definition(segment=segment, definition=narrower, actor="test", now=timezone.now())
    watched.sign_in(superuser)
    page = watched.open(reverse("admin:segments_segment_change", args=[segment.pk]))
    page.get_by_text("Compare versions", exact=True).first.click()
    expect(page.get_by_text("Place in the rule")).to_be_visible()
    page.screenshot(path=screenshots / "segment.versions.png", full_page=True)
    page.get_by_role("button", name="Restore version 1").click()
    expect(page.get_by_text("Version 1 is back, as version 3.")).to_be_visible()
    segment.refresh_from_db()
    assert (segment.version, segment.definition) == (3, before)
    assert watched.problems == []


def test_the_page_of_a_person_tells_why(
    watched: Watched, superuser: User, installation: Campaign, screenshots: Path
) -> None:
    member = installation.segment.memberships.order_by("profile").first()
    assert member is not None
    watched.sign_in(superuser)
    page = watched.open(reverse("admin:segments_profile_change", args=[member.profile_id]))
    page.locator("details summary").first.click()
    expect(page.get_by_text("/any/0", exact=True)).to_be_visible()
    page.screenshot(path=screenshots / "profile.segments.png", full_page=True)
    assert watched.problems == []
