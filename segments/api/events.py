"""What people did, sent in batches."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.fields import AmountField, MomentField, ObjectField, StrictSerializer, TextField, UidField
from compliance.api.idempotency import idempotent
from compliance.api.problems import field_errors
from segments import event_input
from segments.api.fields import IDENTIFIERS, IdentifierFields, SourceField
from segments.event_input import EventInput
from segments.services import events, sources
from segments.services.events import EventResult

MAX_BATCH = 1_000
STATUSES = ("accepted", "duplicate", "held", "rejected")


class EventWrite(StrictSerializer, IdentifierFields):
    """One event. The person is named by `uid` or by exactly one identifier."""

    rules = {"oneOf": [{"required": [name]} for name in ("uid", *IDENTIFIERS)]}

    event_id = TextField(
        max_length=event_input.MAX_EVENT_ID, help_text=_("unique within the source; a repeat counts nothing")
    )
    name = serializers.RegexField(f"^{event_input.NAME.pattern}$", help_text=_("such as purchase or add_to_cart"))
    occurred_at = MomentField(help_text=_("RFC 3339"))
    uid = UidField(required=False, help_text=_("public id of the profile"))
    amount = AmountField(required=False)
    currency = serializers.RegexField(
        f"^{event_input.CURRENCY.pattern}$", required=False, help_text=_("ISO 4217; needed with an amount")
    )
    category = TextField(max_length=event_input.MAX_CATEGORY, allow_blank=True, required=False)
    properties = ObjectField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        named = [name for name in ("uid", *IDENTIFIERS) if name in attrs]
        if len(named) != 1:
            choices = ", ".join(("uid", *IDENTIFIERS))
            raise ValidationError({"uid": [_("Give exactly one of %(choices)s.") % {"choices": choices}]})
        return attrs


class RawEvents(serializers.ListField):
    """The events as they came: each is checked on its own, so that a bad one does not stop the others."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=serializers.JSONField(), min_length=1, max_length=MAX_BATCH, **kwargs)

    def run_child_validation(self, data: Any) -> Any:
        return data


class EventBatch(StrictSerializer):
    """Events of one source."""

    source = SourceField()  # type: ignore[assignment]
    events = RawEvents()


class EventBatchForm(StrictSerializer):
    """Events of one source, as the description shows them."""

    source = SourceField()  # type: ignore[assignment]
    events = serializers.ListField(child=EventWrite(), min_length=1, max_length=MAX_BATCH)


class EventOutcome(serializers.Serializer[Any]):
    """What became of one event; `field` and `reason` say why it was held or rejected."""

    event_id = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(choices=STATUSES)
    field = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)


class EventsTaken(serializers.Serializer[Any]):
    """The results in the order of the events, and how many of each kind."""

    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    held = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = EventOutcome(many=True)


class EventsView(ApiView):
    """Telling what people did."""

    scopes = {"POST": ["events:write"]}

    @extend_schema(
        summary="Send events",
        description=f"Up to {MAX_BATCH} events, each with a result of its own: bad ones are rejected by name, the "
        "others are stored. An event that the source sent before is a duplicate and counts nothing. A held event waits "
        "in quarantine for a decision of the staff; sent again, it is a duplicate.",
        request=EventBatchForm,
        responses=EventsTaken,
        tags=["events"],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        batch = self.read(EventBatch, request).validated_data
        form = EventWrite()
        read = [_read(form, raw) for raw in batch["events"]]
        good = [item for item in read if isinstance(item, EventInput)]
        source = sources.get_or_create(batch["source"])
        taken = events.ingest(
            source=source, events=good, actor=self.actor, now=timezone.now(), refused=len(read) - len(good)
        )
        stored = iter(taken)
        results = [next(stored) if isinstance(item, EventInput) else item.result for item in read]
        counts = Counter(result.status for result in results)
        body = {status: counts[status] for status in STATUSES}
        shown = [_shown(raw, result) for raw, result in zip(batch["events"], results, strict=True)]
        return Response({**body, "results": shown})


@dataclass(frozen=True)
class _Refused:
    """An event that the form does not take."""

    result: EventResult


def _read(form: EventWrite, raw: Any) -> EventInput | _Refused:
    try:
        given = dict(form.run_validation(raw))
    except ValidationError as error:
        first = next(field_errors(error.detail))
        return _Refused(EventResult("rejected", first["field"], first["reason"]))
    identifier = next((name for name in IDENTIFIERS if name in given), "")
    return EventInput(
        identifier=identifier, value=given.pop(identifier, ""), **{k: v for k, v in given.items() if v is not None}
    )


def _shown(raw: Any, result: EventResult) -> dict[str, Any]:
    event_id = raw.get("event_id") if isinstance(raw, Mapping) else None
    return {
        "event_id": event_id if isinstance(event_id, str) else None,
        "status": result.status,
        "field": result.field,
        "reason": result.reason,
    }
