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
    unsubscribing that is newer than a consent which arrives late. An unsubscribing from everything is lifted as well:
    for the other purposes the consents were withdrawn with it.
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
        found = list(rows.values_list("pk", flat=True))
        for pk in found:
            _lift(pk, note="fresh consent of the person", actor=actor, now=now)
    return len(found)


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
