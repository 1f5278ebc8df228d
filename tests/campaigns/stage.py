"""Steps that the tests of sending share."""

from collections import Counter
from datetime import datetime

from campaigns.models import Delivery, Run
from campaigns.services import dispatch, runs
from campaigns.services.batches import ClaimedBatch
from compliance.services import consent
from segments.models import Profile
from tests.factories.campaigns import SendingChannelFactory, make_approved_campaign


def launch(now: datetime, *, batch_size: int = 100, **fields: object) -> Run:
    make_approved_campaign(channel=SendingChannelFactory(batch_size=batch_size), **fields)
    (run,) = runs.launch_due(now=now, actor="system")
    return runs.plan(run=run, now=now, actor="system")


def claim(now: datetime) -> ClaimedBatch:
    batch = dispatch.claim_batch(now=now, worker="test")
    assert batch is not None
    return batch


def send_all(now: datetime) -> Counter[str]:
    """Claim and send every batch that is due at `now`."""
    counts: Counter[str] = Counter()
    while (batch := dispatch.claim_batch(now=now, worker="test")) is not None:
        counts += dispatch.send_batch(batch=batch, clock=lambda: now)
    return counts


def states() -> Counter[str]:
    return Counter(Delivery.objects.values_list("state", flat=True))


def withdraw(person: Profile, run: Run, now: datetime) -> None:
    consent.withdraw(
        subject_id=person.pk, purpose_id=run.campaign.purpose_id, channel="email", method="staff", source="test",
        actor="test", now=now,
    )  # fmt: skip
