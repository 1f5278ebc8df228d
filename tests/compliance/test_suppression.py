"""Which reason an address is suppressed for, and what lifts it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from compliance import addresses
from compliance.models import AuditLeaf, Suppression, SuppressionReason
from compliance.services import audit, consent, suppression, unsubscribe
from tests.factories.compliance import NoticeFactory, PurposeFactory, SubjectFactory

pytestmark = pytest.mark.django_db
DIGEST = addresses.digest("email", "someone@example.com")


def suppress(reason: str, now: datetime) -> Suppression:
    purpose_id = NoticeFactory().purpose_id
    return suppression.add(
        digest=DIGEST, channel="email", purpose_id=purpose_id, reason=reason, source="x", actor="test", now=now
    )


def consent_anew(now: datetime) -> None:
    notice = NoticeFactory()
    decision = consent.Decision(
        subject_id=SubjectFactory().pk, purpose_id=notice.purpose_id, channel="email", action="given", method="form",
        notice_id=notice.pk, source="sign-up form", occurred_at=now,
    )  # fmt: skip
    consent.record(decision=decision, actor="test", now=now, digest=DIGEST)


@pytest.mark.parametrize("reason", ["hard_bounce", "complaint", "staff", "erased"])
def test_a_reason_that_consent_does_not_lift_outweighs_an_earlier_unsubscribing(reason: str, now: datetime) -> None:
    first = suppress(SuppressionReason.UNSUBSCRIBED, now)
    assert suppress(reason, now + timedelta(hours=1)) == first
    assert Suppression.objects.get().reason == reason
    assert AuditLeaf.objects.latest("id").action == "suppression.reason_changed"
    consent_anew(now + timedelta(hours=2))
    assert Suppression.objects.get().lifted_at is None


def test_unsubscribing_does_not_weaken_an_earlier_reason(now: datetime) -> None:
    suppress(SuppressionReason.COMPLAINT, now)
    suppress(SuppressionReason.UNSUBSCRIBED, now)
    assert Suppression.objects.get().reason == "complaint"
    assert AuditLeaf.objects.filter(object_type="suppression").count() == 1


def test_a_failed_audit_leaf_undoes_the_suppression_and_the_lifting(
    now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise OSError("disk full")

    added = suppress(SuppressionReason.STAFF, now)
    monkeypatch.setattr(audit.rfc8785, "dumps", broken)
    with pytest.raises(OSError, match="disk full"):
        suppression.lift(suppression_id=added.pk, note="typing error", actor="test", now=now)
    assert Suppression.objects.get().lifted_at is None
    with pytest.raises(OSError, match="disk full"):
        suppression.add(
            digest=b"x" * 32, channel="", purpose_id=None, reason="staff", source="x", actor="test", now=now
        )
    assert Suppression.objects.count() == 1


def test_an_unknown_address_that_unsubscribes_again_counts_from_then_on(now: datetime) -> None:
    """Its owner may become known later, with a consent from between the two."""
    purpose = PurposeFactory()
    wish: dict[str, Any] = {
        "digest": DIGEST, "subject_id": None, "purpose_id": purpose.pk, "channel": "email", "method": "api",
        "source": "hotline", "actor": "test",
    }  # fmt: skip
    unsubscribe.by_address(**wish, now=now)
    unsubscribe.by_address(**wish, now=now + timedelta(seconds=10))  # the same click
    assert Suppression.objects.get().created_at == now
    again = now + timedelta(days=2)
    unsubscribe.by_address(**wish, now=again)
    between = now + timedelta(days=1)
    lifted = suppression.lift_unsubscribed(
        digest=DIGEST, channel="email", purpose_id=purpose.pk, consented_at=between, actor="test", now=again
    )
    assert (lifted, Suppression.objects.get().created_at) == (0, again)
    assert AuditLeaf.objects.filter(action="suppression.said_again").count() == 1
