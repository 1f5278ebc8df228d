"""Problem details (RFC 9457), the one form of every error answer of the API."""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

MEDIA_TYPE = "application/problem+json"


class FieldErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with one field; `field` is its path, such as `events.3.name`, or empty for the whole."""

    field = serializers.CharField(allow_blank=True)
    reason = serializers.CharField()


class ProblemSerializer(serializers.Serializer[Any]):
    """Why a request was not done (RFC 9457)."""

    type = serializers.CharField(help_text=_("about:blank: the status and `code` say what happened"))
    title = serializers.CharField(help_text=_("name of the HTTP status"))
    status = serializers.IntegerField(min_value=400, max_value=599)
    code = serializers.CharField(help_text=_("kind of problem, for programs"))
    detail = serializers.CharField(help_text=_("what happened, for people"))
    errors = FieldErrorSerializer(many=True, help_text=_("every bad field; empty when no field is to blame"))  # type: ignore[assignment]


def problem(
    *, status: int, code: str, detail: str, errors: Sequence[Mapping[str, str]] = ()
) -> dict[str, str | int | list[Mapping[str, str]]]:
    """The body of an error answer."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "errors": list(errors),
    }


def field_errors(detail: Any, path: str = "") -> Iterator[dict[str, str]]:
    """The errors in a `ValidationError.detail`, however nested, each with the path of its field."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            yield from field_errors(inner, path if name == "non_field_errors" else _join(path, str(name)))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from field_errors(inner, path if isinstance(inner, str) else _join(path, str(index)))
    else:
        yield {"field": path, "reason": str(detail)}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
