"""What events and attributes are declared to look like."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.pages import PageQuery, page
from segments.models import AttributeType, EventType
from segments.value_types import ValueType


class PropertyRead(serializers.Serializer[Any]):
    """A declared property."""

    type = serializers.ChoiceField(choices=list(ValueType))
    required = serializers.BooleanField()  # type: ignore[assignment]


class EventTypeRead(serializers.Serializer[EventType]):
    """The declared properties of events of one name; others are kept as they come."""

    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    properties = serializers.DictField(child=PropertyRead())

    def to_representation(self, instance: EventType) -> dict[str, Any]:
        properties = {
            name: {"type": declared["type"], "required": declared.get("required", False)}
            for name, declared in instance.properties.items()
        }
        return {"name": instance.name, "description": instance.description, "properties": properties}


class EventTypePage(serializers.Serializer[Any]):
    """Some of the event types, oldest first."""

    results = EventTypeRead(many=True)
    next = serializers.CharField(allow_null=True)


class AttributeTypeRead(serializers.Serializer[AttributeType]):
    """The declared type of an attribute of people."""

    key = serializers.CharField()
    type = serializers.ChoiceField(choices=list(ValueType))
    description = serializers.CharField(allow_blank=True)


class AttributeTypePage(serializers.Serializer[Any]):
    """Some of the attribute types, oldest first."""

    results = AttributeTypeRead(many=True)
    next = serializers.CharField(allow_null=True)


class EventTypesView(ApiView):
    """The declared event types."""

    scopes = {"GET": ["types:read"]}

    @extend_schema(
        operation_id="event_types_list",
        summary="List event types",
        description="An event whose properties have another type than declared is rejected by the property's name.",
        parameters=[PageQuery],
        responses=EventTypePage,
        tags=["events"],
    )
    def get(self, request: Request) -> Response:
        return Response(_page(self, request, EventType, EventTypeRead))


class AttributeTypesView(ApiView):
    """The declared attributes of people."""

    scopes = {"GET": ["types:read"]}

    @extend_schema(
        operation_id="attribute_types_list",
        summary="List attribute types",
        description="A profile whose attributes have another type than declared is refused by the attribute's name.",
        parameters=[PageQuery],
        responses=AttributeTypePage,
        tags=["profiles"],
    )
    def get(self, request: Request) -> Response:
        return Response(_page(self, request, AttributeType, AttributeTypeRead))


def _page(view: ApiView, request: Request, model: Any, form: Any) -> Any:
    query = view.read(PageQuery, request)
    limit, after = query.validated_data["limit"], query.after()
    rows = list(model.objects.filter(pk__gt=after[0] if after else 0).order_by("pk")[: limit + 1])
    return page(rows, limit=limit, key=lambda row: (row.pk,), show=lambda row: form(row).data)
