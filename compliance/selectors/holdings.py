"""What compliance itself holds about a person."""

from collections.abc import Iterator
from typing import Any

from compliance.models import ConsentRecord, SubjectRequest


def consents(subject_id: int) -> Iterator[dict[str, Any]]:
    """Every decision of the person, oldest first. They stay when the person is erased: GDPR 17(3)(e), PIPL 47."""
    records = ConsentRecord.objects.filter(subject=subject_id).select_related("purpose", "notice")
    for record in records.order_by("recorded_at", "pk"):
        yield {
            "purpose": record.purpose.name,
            "channel": record.channel,
            "decision": record.action,
            "method": record.method,
            "source": record.source,
            "decided_at": record.occurred_at,
            "expires_at": record.expires_at,
            "recorded_at": record.recorded_at,
            "notice": record.notice.text if record.notice else None,
            "evidence": record.evidence,
        }


def requests(subject_id: int) -> Iterator[dict[str, Any]]:
    """What the person asked for before."""
    for request in SubjectRequest.objects.filter(subject=subject_id).order_by("pk"):
        yield {
            "kind": request.kind,
            "received_at": request.received_at,
            "state": request.state,
            "closed_at": request.closed_at,
            "answer": request.answer,
        }
