from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from compliance import actors
from segments.admin.json_fields import json_field
from segments.cleaning import RuleError
from segments.cleaning.fields import check_event_name
from segments.models import AttributeType, EventType
from segments.services import value_types
from segments.value_types import SchemaError, parse_schema

EXAMPLE = {"color": {"type": "text"}, "price": {"type": "number", "required": True}}


class EventTypeForm(forms.ModelForm):
    properties = json_field(
        label=_("Properties"),
        initial=EXAMPLE,
        required=False,
        help_text=_(
            "Type: text, number, boolean or time. What has another type is refused by name; properties that are not "
            "listed are kept as they come."
        ),
    )

    class Meta:
        model = EventType
        fields = ["name", "description", "properties"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        try:
            check_event_name(name)
        except RuleError as error:
            raise ValidationError(error.reason) from error
        return name

    def clean_properties(self) -> Any:
        properties = self.cleaned_data["properties"] or {}
        try:
            parse_schema(properties)
        except SchemaError as error:
            raise ValidationError(str(error)) from error
        return properties


@admin.register(EventType)
class EventTypeAdmin(ModelAdmin):
    """What events of one name say."""

    form = EventTypeForm
    list_display = ["name", "described", "description"]
    search_fields = ["name"]
    actions = None

    @admin.display(description=_("properties"))
    def described(self, obj: EventType) -> str:
        return ", ".join(f"{name}: {declared['type']}" for name, declared in obj.properties.items())

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["name"] if obj else []

    def save_model(self, request: HttpRequest, obj: EventType, form: Any, change: bool) -> None:
        value_types.save_event_type(event_type=obj, actor=actors.user(request.user), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: EventType) -> None:
        value_types.remove_event_type(event_type=obj, actor=actors.user(request.user), now=timezone.now())


@admin.register(AttributeType)
class AttributeTypeAdmin(ModelAdmin):
    """The types of further attributes of people."""

    list_display = ["key", "type", "description"]
    list_filter = ["type"]
    search_fields = ["key"]
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["key"] if obj else []

    def save_model(self, request: HttpRequest, obj: AttributeType, form: Any, change: bool) -> None:
        value_types.save_attribute_type(attribute_type=obj, actor=actors.user(request.user), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: AttributeType) -> None:
        value_types.remove_attribute_type(attribute_type=obj, actor=actors.user(request.user), now=timezone.now())
