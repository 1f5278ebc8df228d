"""Settling by hand what no program can know: whether a message that was in a dead worker's hands went out."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.models import Delivery
from campaigns.states import DeliveryState, TransitionError
from compliance.services import audit


@transaction.atomic
def resolve(*, delivery_id: int, state: DeliveryState, actor: str, now: datetime) -> None:
    """Turn an unknown delivery into `sent` or `failed`. Nothing is sent by this.

    Raises `TransitionError` when the delivery is not unknown any more, or for any other state.
    """
    if state not in (DeliveryState.SENT, DeliveryState.FAILED):
        raise TransitionError(_("An unknown delivery becomes sent or failed."))
    unknown = Delivery.objects.filter(pk=delivery_id, state=DeliveryState.UNKNOWN)
    sent_at = now if state == DeliveryState.SENT else None
    if not unknown.update(state=state, changed_at=now, sent_at=sent_at):
        raise TransitionError(_("The delivery is not unknown any more."))
    audit.append(
        action="delivery.resolved",
        actor=actor,
        object_type="delivery",
        object_id=delivery_id,
        details={"state": state.value},
        now=now,
    )
