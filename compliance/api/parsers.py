"""Reading a request's body: JSON that every part behind can hold, and nothing else."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

MAX_DEPTH = 20
MAX_INTEGER = 2**53 - 1  # RFC 7493, section 2.2: beyond it, numbers lose digits on the way


class BodyTooLarge(APIException):
    """The body is longer than the setting DATA_UPLOAD_MAX_MEMORY_SIZE allows."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"


class StrictJSONParser(BaseParser):
    """I-JSON (RFC 7493): UTF-8, no repeated names, no NaN, no lone surrogates. Nor NUL, which PostgreSQL refuses."""

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = raw_body(parser_context["request"]) if parser_context else stream.read()
        try:
            value = json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_unique_names)
        except (ValueError, RecursionError) as error:
            raise ParseError(_("The body is not valid JSON: %(reason)s") % {"reason": str(error)[:200]}) from None
        _check(value, depth=0)
        return value


def raw_body(request: Any) -> bytes:
    """The body as it came. Raises `BodyTooLarge`."""
    try:
        body: bytes = request._request.body
    except RequestDataTooBig:
        raise BodyTooLarge(_("The body is too large; send it in several requests.")) from None
    return body


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has two members of one name")
    return found


def _check(value: Any, *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ParseError(_("The JSON is nested more than %(depth)s levels deep.") % {"depth": MAX_DEPTH})
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_text(name)
            _check(member, depth=depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth=depth + 1)
    elif isinstance(value, int | float) and not _fits(value):
        raise ParseError(_("A number is out of range; send large numbers as texts."))


def _fits(number: float) -> bool:
    return abs(number) <= MAX_INTEGER if isinstance(number, int) else math.isfinite(number)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ParseError(_("A text holds the character NUL."))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ParseError(_("A text holds half of a surrogate pair.")) from None
