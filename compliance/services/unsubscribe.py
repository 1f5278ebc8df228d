"""Unsubscribing: the consent is withdrawn and the address suppressed in one transaction, before the answer returns."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from compliance import tokens
from compliance.actors import SYSTEM
from compliance.models import ConsentAction, ConsentState, Purpose, Subject, SuppressionReason
from compliance.services import consent, suppression


@dataclass(frozen=True)
class Unsubscribed:
    """What was done: for which purpose and channel, and whether it was new."""

    purpose: Purpose
    channel: str
    changed: bool


def by_token(*, token: str, method: str, now: datetime) -> Unsubscribed:
    """Do what the link in a message asks for (RFC 8058). Done before, it changes nothing. Raises `TokenError`."""
    claim = tokens.read(token)
    purpose = Purpose.objects.get(pk=claim.purpose_id)
    changed = _unsubscribe(
        subject_id=claim.subject_id,
        digest=claim.digest,
        purpose=purpose,
        channel=claim.channel,
        method=method,
        source="unsubscribe link",
        reference=claim.reference,
        actor=SYSTEM,
        now=now,
    )
    return Unsubscribed(purpose=purpose, channel=claim.channel, changed=changed)


def by_address(
    *, digest: bytes, subject_id: int | None, purpose_id: int | None, channel: str, method: str, source: str,
    actor: str, now: datetime,
) -> list[Unsubscribed]:  # fmt: skip
    """Unsubscribe an address from one purpose, or from all when `purpose_id` is None. The person need not be known."""
    purposes = Purpose.objects.all() if purpose_id is None else Purpose.objects.filter(pk=purpose_id)
    with transaction.atomic():
        return [
            Unsubscribed(
                purpose=purpose,
                channel=channel,
                changed=_unsubscribe(
                    subject_id=subject_id, digest=digest, purpose=purpose, channel=channel, method=method,
                    source=source, reference=None, actor=actor, now=now,
                ),
            )
            for purpose in purposes
        ]  # fmt: skip


def _unsubscribe(
    *, subject_id: int | None, digest: bytes, purpose: Purpose, channel: str, method: str, source: str,
    reference: int | None, actor: str, now: datetime,
) -> bool:  # fmt: skip
    with transaction.atomic():
        # The same lock that consent.record_many takes: of two clicks at once the second finds the first's work done.
        known = _lock(subject_id)
        state = (
            ConsentState.objects.filter(subject_id=known, purpose=purpose, channel=channel).first() if known else None
        )
        changed = known is not None and (state is None or state.action != ConsentAction.WITHDRAWN)
        if known is not None and changed:
            consent.withdraw(
                subject_id=known, purpose_id=purpose.pk, channel=channel, method=method, source=source,
                evidence={} if reference is None else {"delivery": reference}, actor=actor, now=now,
            )  # fmt: skip
        suppression.add(
            digest=digest, channel=channel, purpose_id=purpose.pk, reason=SuppressionReason.UNSUBSCRIBED,
            source=source, actor=actor, now=now,
        )  # fmt: skip
        return changed


def _lock(subject_id: int | None) -> int | None:
    """The lock that `consent.record_many` takes too; None when there is no such person."""
    if subject_id is None:
        return None
    rows = Subject.objects.filter(pk=subject_id).select_for_update(no_key=True)
    return rows.values_list("pk", flat=True).first()
