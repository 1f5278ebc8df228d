"""The demo from the first row to the auditor's export. Running it again adds nothing and sends nothing."""

import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from django.db.models import Count
from django.urls import reverse
from django.utils import timezone
from tqdm import tqdm

from campaigns.models import Campaign, Delivery, Run
from campaigns.states import CampaignState, DeliveryState
from compliance import addresses
from compliance.models import AuditLeaf
from compliance.selectors import audit as audit_selectors
from compliance.services import audit, exports
from config.demo import consents, data, plans
from config.demo.sink import Sink
from segments.models import Event, Identity, IdentityKind, Profile, Tag
from segments.selectors import customer_base
from segments.services import imports, rfm, sources, tags

ACTOR = "demo"
FIRST, SECOND = plans.CAMPAIGNS
UNSUBSCRIBERS = 25
CAMPAIGN_TIMEOUT = 150  # seconds
WEB_TIMEOUT = 60  # seconds


class DemoError(Exception):
    """The demo did not come to what it is there to show."""


class Story:
    """Runs the steps in order and gathers the figures of the summary.

    `folder` keeps the prepared files, the log of received mail and the exports; `sink` is the running SMTP server.
    """

    def __init__(self, *, folder: Path, sink: Sink, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.sink = sink
        self.say = say
        self.started = time.monotonic()

    def prepare(self) -> None:
        """Everything before the first message: people, events, consents, segments."""
        self._import()
        notice = plans.notice(actor=ACTOR, now=timezone.now())
        self.purpose = notice.purpose
        people = self._people()
        written = consents.write_history(
            people=[(subject_id, household) for household, subject_id, _ in people],
            notice=notice, actor=ACTOR, now=timezone.now(),
        )  # fmt: skip
        if written:
            consents.suppress_bounced(
                digests=[(household, digest) for household, _, digest in people], actor=ACTOR, now=timezone.now()
            )
        self.say(f"consent history (synthetic): {written} new records" if written else "consent history: there already")
        buyers = rfm.recompute(now=timezone.now(), actor=ACTOR)
        self._tag()
        self.segments = plans.build_segments(actor=ACTOR, now=timezone.now())
        sizes = ", ".join(f"{segment.name}: {segment.member_count}" for segment in self.segments.values())
        self.say(f"RFM quintiles changed for {buyers} people; segments: {sizes}")

    def campaign(self, key: str) -> Run:
        """Have the campaign approved and wait until beat and worker have finished it."""
        known = Campaign.objects.filter(key=key, state=CampaignState.FINISHED).exists()
        campaign = plans.approved_campaign(key=key, purpose=self.purpose, now=timezone.now())
        if known:
            self.say(f"campaign {key!r} was sent before; nothing is sent again")
        else:
            self._wait_until_finished(campaign)
        return campaign.runs.get()

    def unsubscribe_some(self, *, first: Run) -> list[str]:
        """Use the one-click link of some recipients whom the second campaign is for as well. Returns addresses."""
        wanted = self._addresses_of_second_audience()
        chosen = [mail for mail in self.sink.received(str(first.uid)) if mail["to"] in wanted][:UNSUBSCRIBERS]
        if len(chosen) < UNSUBSCRIBERS:
            raise DemoError(f"only {len(chosen)} recipients to unsubscribe, expected {UNSUBSCRIBERS}")
        if Run.objects.filter(campaign__key=SECOND).exists():
            self.say(f"unsubscribed by one click before: {len(chosen)} people")
        else:
            _wait_until_serving(urljoin(chosen[0]["unsubscribe"], reverse("health")))
            for mail in chosen:
                _post_one_click(mail["unsubscribe"])
            self.say(f"unsubscribed by one click over HTTP: {len(chosen)} people")
        return [mail["to"] for mail in chosen]

    def summary(self, *, first: Run, second: Run, unsubscribed: list[str]) -> dict[str, Any]:
        """Seal and verify the audit log, write the auditors' export, and count. Raises `DemoError` when it fails."""
        now = timezone.now()
        export_dir = self.folder / "exports" / f"{now:%Y%m%dT%H%M%S}"
        exports.export_consents(out=export_dir, start=None, end=None, actor=ACTOR, now=now)
        audit.seal(now=timezone.now())
        report = audit_selectors.verify()
        deliveries = Delivery.objects.filter(run__in=[first, second])
        states = dict(deliveries.values_list("state").annotate(Count("id")))
        reasons = deliveries.filter(state=DeliveryState.EXCLUDED).values_list("reason").annotate(Count("id"))
        mails = [mail for run in (first, second) for mail in self.sink.received(str(run.uid))]
        repeated = [name for name, count in Counter(mail["message_id"] for mail in mails).items() if count > 1]
        if repeated:
            raise DemoError(f"{len(repeated)} messages arrived twice, the first is {repeated[0]}")
        second_run = {mail["to"] for mail in self.sink.received(str(second.uid))}
        return {
            "profiles": Profile.objects.count(),
            "events": Event.objects.count(),
            "segments": {key: segment.member_count for key, segment in self.segments.items()},
            "planned": first.planned + second.planned,
            "sent": states.get(DeliveryState.SENT, 0),
            "smtp_received": len(mails),
            "excluded": dict(sorted(reasons)),
            "unsubscribed": len(unsubscribed),
            "second_run_to_unsubscribed": len(second_run & set(unsubscribed)),
            "audit_leaves": AuditLeaf.objects.count(),
            "audit_verified": report.ok,
            "export_dir": str(export_dir),
            "seconds": round(time.monotonic() - self.started, 1),
        }

    def _import(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        shift = data.shift_to(sources.get_or_create(data.SOURCE).created_at)
        people = data.write_profiles(self.folder)
        with _bar("profiles") as progress:
            job = imports.import_profiles(
                path=people, source_key=data.SOURCE, mapping=data.PROFILE_MAPPING, actor=ACTOR,
                now=timezone.now(), progress=progress,
            )  # fmt: skip
        self.say(f"profiles: {job.accepted} accepted, {job.rejected} rejected")
        purchases = data.write_purchases(self.folder, shift)
        with _bar("purchases") as progress:
            job = imports.import_events(
                path=purchases, source_key=data.SOURCE, mapping=data.EVENT_MAPPING, name="purchase",
                currency=data.CURRENCY, timezone=data.TIME_ZONE, actor=ACTOR, now=timezone.now(), progress=progress,
            )  # fmt: skip
        self.say(
            f"purchases: {job.accepted} accepted, {job.duplicates} duplicates, {job.rejected} rejected; "
            f"all moved by {shift.days} days, so that they end this week"
        )

    def _tag(self) -> None:
        """Lifecycle, value tier, favourite category, recent orders and interests, for everybody at once."""
        tags.ensure_ready_made(actor=ACTOR, now=timezone.now())
        tags.compute_due(now=timezone.now(), actor=ACTOR)
        _wait(lambda: not Tag.objects.units().filter(is_active=True, computed_at__isnull=True).exists(), "the tags")
        for group in ("lifecycle", "tier"):
            shares = customer_base.tag_shares(group, timezone.now())
            self.say(f"{group}: " + ", ".join(f"{share.name} {share.people}" for share in shares))

    def _people(self) -> list[tuple[int, int, bytes]]:
        """Household id, subject id and address digest of every household, by the synthetic address's digest."""
        rows = Identity.objects.filter(kind=IdentityKind.EMAIL).values_list("digest", "profile_id")
        subjects = {bytes(digest): profile_id for digest, profile_id in rows}
        people = []
        for household in data.household_ids():
            digest = addresses.digest("email", data.email_of(household))
            if digest not in subjects:
                raise DemoError("the people in this database were stored under another HEED_DIGEST_KEY")
            people.append((household, subjects[digest], digest))
        return people

    def _addresses_of_second_audience(self) -> set[str]:
        """Those whom the second campaign was or will be planned for: its segment changes as time goes by."""
        planned = Delivery.objects.filter(run__campaign__key=SECOND).values_list("profile_id", flat=True)
        segment = self.segments[plans.CAMPAIGNS[SECOND][1]]
        members = set(planned) or set(segment.memberships.values_list("profile_id", flat=True))
        return {data.email_of(household) for household, subject_id, _ in self._people() if subject_id in members}

    def _wait_until_finished(self, campaign: Campaign) -> None:
        deadline = time.monotonic() + CAMPAIGN_TIMEOUT
        with tqdm(desc=campaign.key, unit="message", file=sys.stderr) as bar:
            while Campaign.objects.filter(pk=campaign.pk).exclude(state=CampaignState.FINISHED).exists():
                if time.monotonic() > deadline:
                    raise DemoError(f"campaign {campaign.key} did not finish within {CAMPAIGN_TIMEOUT} s")
                rows = Delivery.objects.filter(run__campaign=campaign)
                bar.total = rows.exclude(state=DeliveryState.EXCLUDED).count()
                bar.n = rows.filter(state=DeliveryState.SENT).count()
                bar.refresh()
                time.sleep(0.25)
        run = campaign.runs.get()
        self.say(f"campaign {campaign.key!r}: {run.planned} planned, {run.excluded} left out, finished")


@contextmanager
def _bar(label: str) -> Iterator[Callable[[int, int], None]]:
    with tqdm(desc=label, unit="row", unit_scale=True, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def _wait(is_done: Callable[[], bool], what: str) -> None:
    """For what the worker may have taken in hand before us."""
    deadline = time.monotonic() + CAMPAIGN_TIMEOUT
    while not is_done():
        if time.monotonic() > deadline:
            raise DemoError(f"{what} did not come within {CAMPAIGN_TIMEOUT} s")
        time.sleep(0.1)


def _wait_until_serving(url: str) -> None:
    deadline = time.monotonic() + WEB_TIMEOUT
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10):  # noqa: S310  (our own loopback address)
                return
        except OSError as error:  # URLError and HTTPError are of its kind
            if time.monotonic() > deadline:
                raise DemoError(f"the web server did not answer within {WEB_TIMEOUT} s: {error}") from error
            time.sleep(0.1)


def _post_one_click(url: str) -> None:
    """What a mailbox provider does when its reader clicks "unsubscribe" (RFC 8058, section 3.2)."""
    request = urllib.request.Request(  # noqa: S310  (our own loopback address)
        url, data=b"List-Unsubscribe=One-Click", method="POST",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        answer.read()
