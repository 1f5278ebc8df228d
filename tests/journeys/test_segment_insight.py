"""Comparing segments and their warnings in a real browser."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import expect

from campaigns.models import Campaign
from segments.models import SegmentSize
from segments.services import segments
from tests.journeys.conftest import Watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def _wuhan(installation: Campaign) -> None:
    """A second segment: half of the people."""
    now = timezone.now()
    definition = {"attribute": "city", "op": "eq", "value": "Wuhan"}
    segment = segments.create(key="wuhan", name="Wuhan", definition=definition, actor="test", now=now)
    segments.refresh(segment=segment, now=now, actor="test")
    for back in range(1, 8):
        day = timezone.localdate() - timedelta(days=back)
        SegmentSize.objects.create(segment=segment, day=day, members=200 + 5 * back)


@pytest.mark.usefixtures("_wuhan")
def test_segments_are_compared_by_keyboard(
    watched: Watched, superuser: User, installation: Campaign, screenshots: Path
) -> None:
    watched.sign_in(superuser)
    page = watched.open(reverse("admin:segments_segment_changelist"))
    page.get_by_role("link", name="Overlap of segments").first.click()
    everybody, wuhan = page.get_by_label("(24)"), page.get_by_label("Wuhan (12)")
    expect(wuhan).to_be_checked()
    wuhan.focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Compare").focus()
    page.keyboard.press("Enter")
    expect(page.locator("tbody th[scope=row]")).to_have_count(1)
    expect(everybody).to_be_checked()
    page.get_by_label("Wuhan (12)").check()
    page.get_by_role("button", name="Compare").click()
    cell = page.locator("tbody td[title]").nth(1)
    expect(cell).to_contain_text("50 %")
    assert "12 people" in (cell.get_attribute("title") or "")
    page.screenshot(path=screenshots / "overlap.png", full_page=True)
    page.evaluate("document.documentElement.classList.add('dark')")
    page.screenshot(path=screenshots / "overlap.dark.png", full_page=True)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert Path(download.value.path()).read_text().count("wuhan") == 4
    assert watched.problems == []


@pytest.mark.usefixtures("_wuhan")
def test_warnings_stand_on_the_page_and_in_the_builder(
    watched: Watched, superuser: User, installation: Campaign, screenshots: Path
) -> None:
    watched.sign_in(superuser)
    segment = SegmentSize.objects.order_by("day")[0].segment
    page = watched.open(reverse("admin:segments_segment_change", args=[segment.pk]))
    expect(page.locator("[data-warning=too_small]")).to_contain_text("Only 12 people")
    expect(page.locator("[data-warning=sudden_change]")).to_be_visible()
    expect(page.locator(".rb-warnings li").first).to_contain_text("Only 12 people")
    expect(page.get_by_role("heading", name="Members day by day")).to_be_visible()
    page.screenshot(path=screenshots / "segment.warnings.png", full_page=True)
    page = watched.open(reverse("admin:segments_segment_changelist") + "?warning=too_small")
    expect(page.get_by_role("link", name="Wuhan", exact=True)).to_be_visible()
    page.screenshot(path=screenshots / "segments.list.png")
    assert watched.problems == []
