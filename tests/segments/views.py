"""Views of products, sent for tests of the quarantine."""

from datetime import UTC, datetime, timedelta
from typing import Any

from segments.event_input import EventInput
from segments.models import CleaningRule
from segments.services import events
from tests.factories.segments import CleaningRuleFactory, SourceFactory

MIDNIGHT = datetime(2026, 2, 28, 16, 0, tzinfo=UTC)  # 1 March in Shanghai, the installation's zone
NOW = MIDNIGHT + timedelta(days=3)
LIMIT = 5


def limit_views() -> CleaningRule:
    """No more than `LIMIT` views a day by one person."""
    rule: CleaningRule = CleaningRuleFactory(
        event_names=["product_view", "browse"], field="", action="hold",
        parameters={"per_day": LIMIT, "reason": "too many views"},
    )  # fmt: skip
    return rule


def view(number: int, *, minutes: float | None = None, **changes: Any) -> EventInput:
    moment = MIDNIGHT + timedelta(minutes=number if minutes is None else minutes)
    base: dict[str, Any] = {
        "event_id": f"V{number}", "name": "browse", "occurred_at": moment, "identifier": "external_id", "value": "C1",
    }  # fmt: skip
    return EventInput(**{**base, **changes})


def send(*given: EventInput, source: str = "shop") -> list[str]:
    results = events.ingest(source=SourceFactory(key=source), events=given, actor="test", now=NOW)
    return [result.status for result in results]


def views(*numbers: int, **changes: Any) -> list[str]:
    return send(*[view(number, **changes) for number in numbers])
