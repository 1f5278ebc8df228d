"""Pages that follow a cursor, so that rows coming and going meanwhile shift nobody else."""

import base64
import binascii
import struct
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from compliance.api.fields import StrictSerializer

Row = TypeVar("Row")
DEFAULT_LIMIT = 100
MAX_LIMIT = 500
MAX_BIGINT = 2**63 - 1


def write_cursor(*parts: int) -> str:
    """The place after a row, given the integers of its sort key."""
    packed = struct.pack(f">{len(parts)}q", *parts)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_cursor(text: str, *, length: int) -> tuple[int, ...]:
    """The sort key of a cursor that `write_cursor` made from `length` integers. Raises `ValidationError`."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        parts = struct.unpack(f">{length}q", packed)
    except (binascii.Error, struct.error, ValueError):
        raise ValidationError({"cursor": [_("This is no cursor of this list.")]}) from None
    return parts


class PageQuery(StrictSerializer):
    """What every list takes. Lists with filters derive from it."""

    cursor = serializers.CharField(max_length=64, required=False, help_text=_("`next` of the page before"))
    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT, help_text=_("rows in a page")
    )

    def after(self, length: int = 1) -> tuple[int, ...] | None:
        """The sort key to go on from, or None for the first page."""
        text = self.validated_data.get("cursor")
        return read_cursor(text, length=length) if text is not None else None


def page(rows: Sequence[Row], *, limit: int, key: Callable[[Row], tuple[int, ...]], show: Callable[[Row], Any]) -> Any:
    """The body of one page. `rows` holds one row more than `limit` when there is a next page."""
    shown = rows[:limit]
    following = write_cursor(*key(shown[-1])) if len(rows) > limit else None
    return {"results": [show(row) for row in shown], "next": following}
