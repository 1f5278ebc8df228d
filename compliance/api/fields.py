"""Serializer fields that take exactly what the API's description says, and nothing that merely looks like it."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,2})?")
CANONICAL_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
MAX_NAME = 64


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know, each by name.

    `rules` goes into the description: what JSON Schema can say of several fields together.
    """

    rules: ClassVar[Mapping[str, Any]] = {}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                reason = _("There is no such field.")
                raise serializers.ValidationError({name[:MAX_NAME]: [reason] for name in sorted(unknown)[:20]})
        return super().to_internal_value(data)


class TextField(serializers.CharField):
    """A text of one line: no number taken for one, no control characters, surrounding space removed."""

    default_error_messages = {"control": _("Control characters are not allowed.")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if CONTROL.search(data):
            self.fail("control")
        return super().to_internal_value(data)


class ChoiceField(serializers.ChoiceField):
    """One of the listed texts."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=type(data).__name__)
        return super().to_internal_value(data)


class UidField(serializers.UUIDField):
    """A public id in its usual form with hyphens (RFC 9562)."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not CANONICAL_UUID.fullmatch(data):
            self.fail("invalid", value=data)
        return UUID(data)


class MomentField(serializers.DateTimeField):
    """A time with its offset (RFC 3339), within the calendar that PostgreSQL and Python share."""

    default_error_messages = {"offset": _("Give a time with its offset, such as 2026-03-02T12:00:00+08:00.")}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str) or not MOMENT.fullmatch(value):
            self.fail("offset")
        return super().to_internal_value(value.upper())


class DayField(serializers.DateField):
    """A calendar day as YYYY-MM-DD."""

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str) or len(value) != len("YYYY-MM-DD"):
            self.fail("invalid", format="YYYY-MM-DD")
        return super().to_internal_value(value)


class FlagField(serializers.BooleanField):
    """true or false, not words or numbers for them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=type(data).__name__)
        return data


@extend_schema_field(
    {
        "oneOf": [
            {"type": "number", "minimum": -999999999999.99, "maximum": 999999999999.99},
            {"type": "string", "pattern": f"^{AMOUNT.pattern}$"},
        ],
        "example": "12.50",
    }
)
class AmountField(serializers.Field[Decimal, Any, str, Any]):
    """An amount of money with at most two decimals, as a text or a number; answered as a text."""

    default_error_messages = {"invalid": _("Give an amount with at most 12 digits and 2 decimals.")}

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, str | int | float):
            self.fail("invalid")
        # repr gives the shortest digits that read back as the same number, so 12.3 stays 12.3.
        text = data if isinstance(data, str) else repr(data)
        if not AMOUNT.fullmatch(text):
            self.fail("invalid")
        return Decimal(text)

    def to_representation(self, value: Decimal) -> str:
        return str(value)


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.Field[dict[str, Any], Any, Any, Any]):
    """A free JSON object. The parser has already refused what PostgreSQL cannot store."""

    default_error_messages = {
        "invalid": _("Give a JSON object."),
        "long": _("At most {entries} entries are allowed."),
    }

    def __init__(self, *, max_entries: int = 100, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_entries = max_entries

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        if len(data) > self.max_entries:
            self.fail("long", entries=self.max_entries)
        return data

    def to_representation(self, value: Any) -> Any:
        return value
