"""Unsubscribing: the consent is withdrawn and the address suppressed in one transaction, before the answer returns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from compliance import tokens
from compliance.actors import SYSTEM
from compliance.models import ConsentAction, ConsentState, Purpose, SuppressionReason
from compliance.services import consent, subjects, suppression

LINK = "unsubscribe link"
REPEAT = timedelta(minutes=5)  # within it, a second click is the first one again


@dataclass(frozen=True)
class Unsubscribed:
    """What was done: for which purpose and channel, and whether it was new."""

    purpose: Purpose
    channel: str
    changed: bool


def by_token(*, token: str, method: str, now: datetime) -> Unsubscribed:
    """Do what the link in a message asks for (RFC 8058). Repeated at once, it changes nothing. Raises `TokenError`."""
    claim = tokens.read(token)
    purpose = Purpose.objects.get(pk=claim.purpose_id)
    with transaction.atomic():
        changed = _withdraw(
            subject_id=claim.subject_id, purpose=purpose, channel=claim.channel, method=method, source=LINK,
            evidence={"delivery": claim.reference}, actor=SYSTEM, now=now,
        )  # fmt: skip
        _suppress(
            digest=claim.digest, channel=claim.channel, purpose_id=purpose.pk, source=LINK, actor=SYSTEM, now=now
        )  # fmt: skip
    return Unsubscribed(purpose=purpose, channel=claim.channel, changed=changed)


def by_address(
    *, digest: bytes, subject_id: int | None, purpose_id: int | None, channel: str, method: str, source: str,
    actor: str, now: datetime,
) -> list[Unsubscribed]:  # fmt: skip
    """Unsubscribe an address from one purpose, or from all, later ones included, when `purpose_id` is None.

    The person need not be known. Returns what was withdrawn, purpose by purpose.
    """
    purposes = Purpose.objects.all() if purpose_id is None else Purpose.objects.filter(pk=purpose_id)
    with transaction.atomic():
        results = []
        for purpose in purposes.order_by("pk"):
            changed = _withdraw(
                subject_id=subject_id, purpose=purpose, channel=channel, method=method, source=source, evidence={},
                actor=actor, now=now,
            )  # fmt: skip
            results.append(Unsubscribed(purpose=purpose, channel=channel, changed=changed))
        _suppress(digest=digest, channel=channel, purpose_id=purpose_id, source=source, actor=actor, now=now)
        return results


def _suppress(*, digest: bytes, channel: str, purpose_id: int | None, source: str, actor: str, now: datetime) -> None:
    stored = suppression.add(
        digest=digest, channel=channel, purpose_id=purpose_id, reason=SuppressionReason.UNSUBSCRIBED, source=source,
        actor=actor, now=now,
    )  # fmt: skip
    if stored.created_at <= now - REPEAT:
        suppression.say_again(suppression=stored, actor=actor, now=now)


def _withdraw(
    *, subject_id: int | None, purpose: Purpose, channel: str, method: str, source: str, evidence: Mapping[str, Any],
    actor: str, now: datetime,
) -> bool:  # fmt: skip
    """Withdraw the consent of a person who is known, unless that was just done; whether it was new.

    A wish that is said again later is recorded again: else a consent from between the two, which arrives last, would
    count as newer than the person's last word.
    """
    # The same lock that consent.record_many takes: of two clicks at once the second finds the first's work done.
    if subject_id is None or not subjects.lock([subject_id]):
        return False
    state = ConsentState.objects.filter(subject_id=subject_id, purpose=purpose, channel=channel).first()
    if state is not None and state.action == ConsentAction.WITHDRAWN and state.occurred_at > now - REPEAT:
        return False
    consent.withdraw(
        subject_id=subject_id, purpose_id=purpose.pk, channel=channel, method=method, source=source, evidence=evidence,
        actor=actor, now=now,
    )  # fmt: skip
    return True
