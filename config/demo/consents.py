"""A deterministic, synthetic consent history: the data set has none, and every record says so in its source."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from compliance.channels import Channel
from compliance.models import ConsentAction, ConsentMethod, ConsentRecord, Notice, SuppressionReason
from compliance.services import consent, suppression

SOURCE = "demo: synthetic consent history"
GIVEN_AT = datetime(2018, 1, 2, 12, tzinfo=UTC)

# Share of the households in percent; the rest of 100 was never asked.
SHARES = (("given", 76), ("withdrawn", 6), ("expired", 4))
BOUNCED_PERCENT = 2


def write_history(*, people: Sequence[tuple[int, int]], notice: Notice, actor: str, now: datetime) -> int:
    """Record the history of `people` (subject id, household id). Returns the number of records; 0 when it is there."""
    if ConsentRecord.objects.filter(source=SOURCE).exists():
        return 0
    decisions: list[consent.Decision] = []
    for subject_id, household_id in people:
        decisions += _decisions(subject_id, fate_of(household_id), notice, household_id)
    consent.record_many(decisions=decisions, actor=actor, now=now)
    return len(decisions)


def suppress_bounced(*, digests: Sequence[tuple[int, bytes]], actor: str, now: datetime) -> int:
    """Suppress the addresses that, in this story, once bounced (household id, address digest). Returns how many."""
    bounced = [digest for household_id, digest in digests if _percentile(household_id, "bounce") < BOUNCED_PERCENT]
    for digest in bounced:
        suppression.add(
            digest=digest, channel=Channel.EMAIL, purpose_id=None, reason=SuppressionReason.HARD_BOUNCE,
            source=SOURCE, actor=actor, now=now,
        )  # fmt: skip
    return len(bounced)


def fate_of(household_id: int) -> str:
    """`given`, `withdrawn`, `expired` or `never`, fixed for a household."""
    place = _percentile(household_id, "consent")
    for fate, share in SHARES:
        if place < share:
            return fate
        place -= share
    return "never"


def _percentile(household_id: int, label: str) -> int:
    digest = hashlib.sha256(f"{label}:{household_id}".encode()).digest()
    return int.from_bytes(digest[:4]) % 100


def _decisions(subject_id: int, fate: str, notice: Notice, household_id: int) -> list[consent.Decision]:
    if fate == "never":
        return []
    decided_at = GIVEN_AT + timedelta(hours=household_id)
    given = consent.Decision(
        subject_id=subject_id,
        purpose_id=notice.purpose_id,
        channel=Channel.EMAIL,
        action=ConsentAction.GIVEN,
        method=ConsentMethod.IMPORT,
        notice_id=notice.pk,
        source=SOURCE,
        occurred_at=decided_at,
        expires_at=decided_at + timedelta(days=365) if fate == "expired" else None,
        evidence={"synthetic": True},
    )
    if fate != "withdrawn":
        return [given]
    withdrawn = consent.Decision(
        subject_id=subject_id,
        purpose_id=notice.purpose_id,
        channel=Channel.EMAIL,
        action=ConsentAction.WITHDRAWN,
        method=ConsentMethod.IMPORT,
        notice_id=None,
        source=SOURCE,
        occurred_at=decided_at + timedelta(days=200),
        evidence={"synthetic": True},
    )
    return [given, withdrawn]
