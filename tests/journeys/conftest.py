"""A real browser, and a small installation with something on every page."""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Browser, Page, sync_playwright

from campaigns.models import Campaign
from campaigns.services import campaigns, runs
from compliance.channels import Channel
from compliance.services import audit, consent, suppression
from segments.event_input import EventInput
from segments.models import ProfileTag
from segments.profile_input import ProfileInput
from segments.services import events, imports, profiles, rfm, segments, tags
from segments.services.tags import assignment, boosts
from tests.factories.campaigns import CampaignFactory, MessageTemplateFactory, SendingChannelFactory, UserFactory
from tests.factories.compliance import NoticeFactory
from tests.factories.segments import CleaningRuleFactory, SourceFactory, TagFactory, make_profile

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PASSWORD = "correct horse battery staple"
PEOPLE = 24


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install the package chromium")
    # Playwright runs an event loop in this thread, in which Django would refuse to use the database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Watched:
    """A page, and what went wrong on it: console errors, failed answers, requests to other hosts."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.problems: list[str] = []
        page.on("console", lambda message: self._note(f"console: {message.text}", message.type == "error"))
        page.on("pageerror", lambda error: self._note(f"script: {error}", True))
        page.on("response", lambda answer: self._note(f"{answer.status}: {answer.url}", answer.status >= 400))
        page.on("request", lambda asked: self._note(f"other host: {asked.url}", not self._is_own(asked.url)))

    def open(self, path: str) -> Page:
        self.page.goto(self.base + path, wait_until="networkidle")
        return self.page

    def sign_in(self, user: User) -> None:
        self.open("/admin/")
        self.page.fill("input[name=username]", user.username)
        self.page.fill("input[name=password]", PASSWORD)
        self.page.click("button[type=submit], input[type=submit]")
        self.page.wait_for_url("**/admin/")

    def _is_own(self, url: str) -> bool:
        return url.startswith((self.base, "data:", "blob:", "about:"))

    def _note(self, text: str, bad: bool) -> None:
        if bad:
            self.problems.append(text)


@pytest.fixture
def watched(browser: Browser, live_server: object) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, locale="en-US")
    yield Watched(context.new_page(), str(live_server))
    context.close()


@pytest.fixture
def screenshots() -> Path:
    folder = Path(__file__).parents[2] / "test-output"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def superuser(transactional_db: None) -> User:
    return User.objects.create_superuser("admin", "admin@example.com", PASSWORD)


@pytest.fixture
def installation(transactional_db: None, tmp_path: Path) -> Campaign:
    """People with events, tags and every kind of consent; a campaign that was planned; an import with refused rows."""
    now = timezone.now()
    notice = NoticeFactory()
    tag = TagFactory()
    for number in range(PEOPLE):
        person = make_profile(number, city="Hangzhou" if number % 2 else "Wuhan", attributes={"income": "50-74K"})
        purchases = [
            EventInput(
                event_id=f"{number}-{order}", name="purchase", occurred_at=now - timedelta(days=order * 3 + 1),
                identifier="external_id", value=f"C{number}", amount=Decimal(10 + number), currency="CNY",
                category="fruit",
            )
            for order in range(number % 5)
        ]  # fmt: skip
        events.ingest(source=SourceFactory(), events=purchases, actor="test", now=now)
        if number % 4:
            consent.record(
                decision=consent.Decision(
                    subject_id=person.pk, purpose_id=notice.purpose_id, channel=Channel.EMAIL, action="given",
                    method="form", notice_id=notice.pk, source="sign-up form", occurred_at=now - timedelta(days=90),
                    expires_at=now - timedelta(days=1) if number % 7 == 0 else None,
                ),
                actor="test", now=now,
            )  # fmt: skip
        if number % 6 == 5:
            consent.withdraw(
                subject_id=person.pk, purpose_id=notice.purpose_id, channel=Channel.EMAIL, method="staff",
                source="call", actor="user:anna", now=now,
            )  # fmt: skip
        if number % 5 == 0:
            ProfileTag.objects.create(profile=person, tag=tag, source="user:anna", assigned_at=now)
    digest = bytes(person.identities.get(kind="email").digest)
    suppression.add(
        digest=digest, channel="email", purpose_id=None, reason="complaint", source="mailbox provider", actor="test",
        now=now,
    )  # fmt: skip
    rfm.recompute(now=now, actor="test")
    tags.ensure_ready_made(actor="test", now=now)
    tags.compute_due(now=now, actor="test")
    boosts.create(
        tag=tag, factor=Decimal(2), goal="Spring sale", starts_at=now, ends_at=now + timedelta(days=3), actor="test",
        now=now,
    )  # fmt: skip
    carrier = ProfileTag.objects.filter(tag__kind="rule").order_by("profile")[0]
    assignment.remove(tag=carrier.tag, profile_id=carrier.profile_id, reason="asked for it", actor="test", now=now)
    _hold_a_view(now)
    rejected = tmp_path / "people.csv"
    rejected.write_text("external_id,email\nC900,nobody\nC901,someone@example.com\n")
    imports.import_profiles(path=rejected, source_key="shop", mapping={}, actor="test", now=now)
    _joined_people()
    return _planned_campaign(now)


def _hold_a_view(now: datetime) -> None:
    """An event in quarantine, with the rule that holds it."""
    CleaningRuleFactory(
        name="Suspicious views", event_names=["product_view"], field="category", action="hold",
        parameters={"op": "eq", "value": "robots", "reason": "looks like a robot"},
    )  # fmt: skip
    view = EventInput(
        event_id="view", name="product_view", occurred_at=now - timedelta(hours=1), identifier="external_id",
        value="C1", category="robots",
    )  # fmt: skip
    events.ingest(source=SourceFactory(), events=[view], actor="test", now=now)


def _joined_people() -> None:
    """Two profiles that an input showed to be one, and two whom it contradicts."""
    shop = SourceFactory()
    told = [
        {"wechat": "w1"}, {"phone": "+8613100000901", "name": "Li"}, {"wechat": "w1", "phone": "+8613100000901"},
        {"email": "a@example.com", "phone": "+8613100000902"}, {"email": "a@example.com", "phone": "+8613100000901"},
    ]  # fmt: skip
    for fields in told:
        profiles.upsert_many(source=shop, inputs=[ProfileInput(**fields)], actor="test", now=timezone.now())


def _planned_campaign(now: object) -> Campaign:
    moment = timezone.now()
    segment = segments.create(
        key="everybody", name="Everybody of Hangzhou or Wuhan", actor="test", now=moment,
        definition={"any": [{"attribute": "city", "op": "in", "value": ["Hangzhou", "Wuhan"]}]},
    )  # fmt: skip
    segments.refresh(segment=segment, actor="test", now=moment)
    campaign = CampaignFactory(
        key="spring", name="Spring offers", segment=segment, purpose=NoticeFactory().purpose, scheduled_at=moment,
        template=MessageTemplateFactory(key="spring", name="Spring mail"), channel=SendingChannelFactory(key="mail"),
    )  # fmt: skip
    campaigns.submit(campaign=campaign, user=UserFactory(username="anna"), now=moment)
    campaigns.approve(campaign=campaign, user=UserFactory(username="bo", is_superuser=True), now=moment)
    (run,) = runs.launch_due(now=timezone.now(), actor="system")
    runs.plan(run=run, now=timezone.now(), actor="system")
    audit.seal(now=timezone.now())
    return campaign
