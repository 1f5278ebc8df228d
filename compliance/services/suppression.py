"""Suppressing addresses, and lifting a suppression with a reason."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from compliance.models import Purpose, Suppression, SuppressionReason
from compliance.services import audit


class SuppressionError(Exception):
    """The suppression cannot be lifted; `field` and `reason` say why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def add(
    *,
    digest: bytes,
    channel: str,
    purpose_id: int | None,
    reason: str,
    source: str,
    actor: str,
    now: datetime,
) -> Suppression:
    """Suppress an address on a channel ('' = all) for a purpose (None = all). Done before, it changes nothing.

    But an address that had unsubscribed and now bounces or complains takes the new reason, which no consent lifts.
    """
    with transaction.atomic():
        suppression, created = Suppression.objects.get_or_create(
            digest=digest,
            channel=channel,
            purpose=Purpose.objects.get(pk=purpose_id) if purpose_id else None,
            lifted_at=None,
            defaults={"reason": reason, "source": source, "created_at": now, "created_by": actor},
        )
        if created:
            audit.append(
                action="suppression.added",
                actor=actor,
                object_type="suppression",
                object_id=suppression.pk,
                details={
                    "digest": audit.commit_to(digest.hex()),
                    "channel": channel,
                    "purpose": purpose_id,
                    "reason": reason,
                },
                now=now,
            )
        elif reason != SuppressionReason.UNSUBSCRIBED:
            _outweigh_unsubscribing(suppression, reason=reason, source=source, actor=actor, now=now)
        return suppression


def say_again(*, suppression: Suppression, actor: str, now: datetime) -> None:
    """The person has unsubscribed once more: it counts from now, so that no consent from between the two lifts it."""
    older = Suppression.objects.filter(
        pk=suppression.pk, reason=SuppressionReason.UNSUBSCRIBED, lifted_at__isnull=True, created_at__lt=now
    )
    with transaction.atomic():
        if older.update(created_at=now):
            audit.append(
                action="suppression.said_again", actor=actor, object_type="suppression", object_id=suppression.pk,
                details={"before": suppression.created_at.isoformat()}, now=now,
            )  # fmt: skip


def lift(*, suppression_id: int, note: str, actor: str, now: datetime) -> None:
    """Let an address be written to again. Raises `SuppressionError` without a note, or when it was lifted before."""
    if not note.strip():
        raise SuppressionError("note", "say why the suppression is lifted")
    with transaction.atomic():
        _lift(suppression_id, note=note, actor=actor, now=now)


def lift_unsubscribed(
    *, digest: bytes, channel: str, purpose_id: int, consented_at: datetime, actor: str, now: datetime
) -> int:
    """Lift what this person's own unsubscribing had put there before they consented anew. Returns how many.

    Bounces, complaints and entries of staff stay: they are not the person's to lift by consenting. So does an
    unsubscribing that is newer than a consent which arrives late. An unsubscribing from everything is lifted as well,
    and stays in force for each of the other purposes: consents that others recorded since then revive none of them.
    """
    rows = Suppression.objects.filter(
        Q(purpose=purpose_id) | Q(purpose__isnull=True),
        digest=digest,
        channel=channel,
        reason=SuppressionReason.UNSUBSCRIBED,
        lifted_at__isnull=True,
        created_at__lt=consented_at,
    )
    with transaction.atomic():
        found = list(rows)
        for suppression in found:
            _lift(suppression.pk, note="fresh consent of the person", actor=actor, now=now)
            if suppression.purpose_id is None:
                _keep_for_others(suppression, purpose_id=purpose_id, actor=actor, now=now)
    return len(found)


def _keep_for_others(everything: Suppression, *, purpose_id: int, actor: str, now: datetime) -> None:
    for other in Purpose.objects.exclude(pk=purpose_id).order_by("pk"):
        kept = add(
            digest=bytes(everything.digest), channel=everything.channel, purpose_id=other.pk,
            reason=SuppressionReason.UNSUBSCRIBED, source=everything.source, actor=actor, now=now,
        )  # fmt: skip
        # A consent to this purpose given since the person unsubscribed from everything, and still to arrive, lifts it.
        Suppression.objects.filter(pk=kept.pk, created_at=now).update(created_at=everything.created_at)


def _outweigh_unsubscribing(suppression: Suppression, *, reason: str, source: str, actor: str, now: datetime) -> None:
    mild = Suppression.objects.filter(pk=suppression.pk, reason=SuppressionReason.UNSUBSCRIBED, lifted_at__isnull=True)
    if mild.update(reason=reason, source=source):
        audit.append(
            action="suppression.reason_changed",
            actor=actor,
            object_type="suppression",
            object_id=suppression.pk,
            details={"from": SuppressionReason.UNSUBSCRIBED.value, "to": reason},
            now=now,
        )
        suppression.refresh_from_db()


def _lift(suppression_id: int, *, note: str, actor: str, now: datetime) -> None:
    active = Suppression.objects.filter(pk=suppression_id, lifted_at__isnull=True)
    changed = active.update(lifted_at=now, lifted_by=actor, lifted_note=note)
    if changed != 1:
        raise SuppressionError("suppression", "is not there or was lifted before")
    audit.append(
        action="suppression.lifted",
        actor=actor,
        object_type="suppression",
        object_id=suppression_id,
        details={"note": audit.commit_to(note)},
        now=now,
    )
