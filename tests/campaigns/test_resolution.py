"""A person settles what no program can know."""

from datetime import datetime

import pytest

from campaigns.models import Delivery
from campaigns.services import resolution
from campaigns.states import DeliveryState, TransitionError
from compliance.models import AuditLeaf
from tests.factories.campaigns import DeliveryFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", [DeliveryState.SENT, DeliveryState.FAILED])
def test_an_unknown_delivery_is_settled_once(state: DeliveryState, now: datetime) -> None:
    delivery = DeliveryFactory(state=DeliveryState.UNKNOWN)
    resolution.resolve(delivery_id=delivery.pk, state=state, actor="user:anna", now=now)
    stored = Delivery.objects.get()
    assert (stored.state, stored.sent_at) == (state, now if state == DeliveryState.SENT else None)
    assert AuditLeaf.objects.get(action="delivery.resolved").actor == "user:anna"
    with pytest.raises(TransitionError):
        resolution.resolve(delivery_id=delivery.pk, state=state, actor="user:anna", now=now)


@pytest.mark.parametrize("state", [DeliveryState.PLANNED, DeliveryState.CLAIMED, DeliveryState.EXCLUDED])
def test_other_deliveries_are_not_settled_by_hand(state: DeliveryState, now: datetime) -> None:
    delivery = DeliveryFactory(state=state)
    with pytest.raises(TransitionError):
        resolution.resolve(delivery_id=delivery.pk, state=DeliveryState.SENT, actor="user:anna", now=now)


def test_nothing_is_planned_again_by_hand(now: datetime) -> None:
    delivery = DeliveryFactory(state=DeliveryState.UNKNOWN)
    with pytest.raises(TransitionError):
        resolution.resolve(delivery_id=delivery.pk, state=DeliveryState.PLANNED, actor="user:anna", now=now)
