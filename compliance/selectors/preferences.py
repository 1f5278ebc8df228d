"""What a person has said yes to, and what they may: the content of the preference centre."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.db.models.functions import Coalesce

from compliance.channels import Channel
from compliance.models import ConsentAction, ConsentState, Notice, Purpose, Subject, Suppression
from compliance.tokens import Claim


@dataclass(frozen=True)
class Choice:
    """One box to tick: a purpose on a channel, the notice to read before, and whether it is ticked now."""

    purpose: Purpose
    channel: Channel
    notice: Notice
    given: bool


def choices(claim: Claim, *, language: str, now: datetime) -> list[Choice]:
    """The choices of the person whom a link in a message names, purpose by purpose; empty when there is no such person.

    Offered are purposes in use that have a notice, on the channel of the message and on those the person decided about
    before. The notice is the newest version, in `language` (a BCP 47 tag) where it exists in it. A link of somebody who
    was merged into another shows what counts for that one.
    """
    people = Subject.objects.filter(pk=claim.subject_id, erased_at__isnull=True)
    person = people.values_list(Coalesce("merged_into_id", "pk"), flat=True).first()
    if person is None:
        return []
    states = list(ConsentState.objects.filter(subject=person))
    given = {
        (state.purpose_id, state.channel)
        for state in states
        if state.action == ConsentAction.GIVEN and (state.expires_at is None or state.expires_at > now)
    }
    given -= {(purpose, claim.channel) for purpose in _suppressed(claim)}
    channels = sorted({claim.channel} | {state.channel for state in states}, key=Channel.values.index)
    notices = newest_notices(language)
    purposes = Purpose.objects.filter(is_active=True, pk__in=notices).order_by("name")
    return [
        Choice(purpose, Channel(channel), notices[purpose.pk], (purpose.pk, channel) in given)
        for purpose in purposes
        for channel in channels
    ]


def newest_notices(language: str) -> Mapping[int, Notice]:
    """The newest notice of each purpose, in the language where there is one, else in the first by its tag."""
    found: dict[int, Notice] = {}
    for notice in Notice.objects.order_by("purpose", "-version", "language"):
        best = found.setdefault(notice.purpose_id, notice)
        if notice.version == best.version and _fits(notice, language) > _fits(best, language):
            found[notice.purpose_id] = notice
    return found


def _fits(notice: Notice, language: str) -> int:
    """2 for the very language, 1 for another form of it, such as zh for zh-hans."""
    tag, wanted = notice.language.lower(), language.lower()
    return 2 if tag == wanted else int(tag.split("-")[0] == wanted.split("-")[0])


def _suppressed(claim: Claim) -> set[int]:
    """The purposes for which the address of the message is suppressed on its channel."""
    rows = Suppression.objects.filter(
        Q(channel="") | Q(channel=claim.channel), digest=claim.digest, lifted_at__isnull=True
    )
    found = set(rows.values_list("purpose_id", flat=True))
    everything = set(Purpose.objects.values_list("pk", flat=True))
    return everything if None in found else found - {None}
