"""The preference centre: a person changes what they said yes to, in one transaction, in effect before the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from compliance.actors import SYSTEM
from compliance.models import ConsentAction, ConsentMethod
from compliance.selectors import preferences
from compliance.services import consent, unsubscribe
from compliance.tokens import Claim

SOURCE = "preference centre"

Wanted = Mapping[tuple[int, str], int]
"""By purpose and channel, the notice under which the person says yes; what is not in it is a no."""


class OutdatedNoticeError(Exception):
    """The words of a purpose have changed since the person read them."""


@dataclass(frozen=True)
class Changes:
    """How many choices became a yes, and how many a no."""

    given: int
    withdrawn: int


def save(*, claim: Claim, wanted: Wanted, language: str, now: datetime) -> Changes:
    """Bring the choices of a person to what they ticked. What stays as it is leaves no trace.

    A yes is a fresh consent of the person and lifts their own unsubscribing from the address of the message, but no
    bounce or complaint. Raises `OutdatedNoticeError` before anything is changed.
    """
    with transaction.atomic():
        offered = preferences.choices(claim, language=language, now=now)
        new = [one for one in offered if not one.given and (one.purpose.pk, one.channel) in wanted]
        for choice in new:
            _check_notice(choice, wanted[choice.purpose.pk, choice.channel])
        gone = [one for one in offered if one.given and (one.purpose.pk, one.channel) not in wanted]
        for choice in new:
            _give(claim, choice, wanted[choice.purpose.pk, choice.channel], now)
        for choice in gone:
            _withdraw(claim, choice, now)
    return Changes(given=len(new), withdrawn=len(gone))


def stop_all(*, claim: Claim, now: datetime) -> None:
    """A no to everything, on all channels; for the address of the message also to purposes that are still to come."""
    with transaction.atomic():
        for choice in preferences.choices(claim, language="", now=now):
            if choice.given and choice.channel != claim.channel:
                _withdraw(claim, choice, now)
        unsubscribe.by_address(
            digest=claim.digest, subject_id=claim.subject_id, purpose_id=None, channel=claim.channel,
            method=ConsentMethod.LINK, source=SOURCE, actor=SYSTEM, now=now,
        )  # fmt: skip


def _check_notice(choice: preferences.Choice, notice_id: int) -> None:
    """The one that was read may be in another language, but not of another version."""
    same = choice.purpose.notices.filter(pk=notice_id, version=choice.notice.version)
    if not same.exists():
        raise OutdatedNoticeError


def _give(claim: Claim, choice: preferences.Choice, notice_id: int, now: datetime) -> None:
    decision = consent.Decision(
        subject_id=claim.subject_id, purpose_id=choice.purpose.pk, channel=choice.channel, action=ConsentAction.GIVEN,
        method=ConsentMethod.FORM, notice_id=notice_id, source=SOURCE, occurred_at=now,
        evidence={"delivery": claim.reference},
    )  # fmt: skip
    digest = claim.digest if choice.channel == claim.channel else None
    consent.record(decision=decision, actor=SYSTEM, now=now, digest=digest)


def _withdraw(claim: Claim, choice: preferences.Choice, now: datetime) -> None:
    if choice.channel == claim.channel:
        unsubscribe.by_address(
            digest=claim.digest, subject_id=claim.subject_id, purpose_id=choice.purpose.pk, channel=claim.channel,
            method=ConsentMethod.LINK, source=SOURCE, actor=SYSTEM, now=now,
        )  # fmt: skip
    else:
        consent.withdraw(
            subject_id=claim.subject_id, purpose_id=choice.purpose.pk, channel=choice.channel,
            method=ConsentMethod.LINK, source=SOURCE, evidence={"delivery": claim.reference}, actor=SYSTEM, now=now,
        )  # fmt: skip
