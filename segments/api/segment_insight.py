"""What segments have in common, and how they grew."""

import re
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.fields import StrictSerializer
from segments.models import Segment, SegmentSize
from segments.selectors import segment_sizes
from segments.selectors.segment_overlap import MAX_SEGMENTS, Overlap, overlap

KEY = re.compile(r"[-a-zA-Z0-9_]{1,50}")
KEY_LIST = "^[-a-zA-Z0-9_]{1,50}(,[-a-zA-Z0-9_]{1,50}){1,19}$"
MIN_SEGMENTS = 2
MAX_DAYS = 3_660
DIGITS = 6


class OverlapQuery(StrictSerializer):
    """The segments to compare."""

    keys = serializers.CharField(help_text=_("2 to 20 different keys with commas between"))

    def validate_keys(self, value: str) -> list[Segment]:
        keys = value.split(",")
        malformed = next((key for key in keys if not KEY.fullmatch(key)), None)
        if malformed is not None:
            raise serializers.ValidationError(_t("This is no key: %(key)s") % {"key": malformed[:50]})
        if len(keys) != len(set(keys)) or not MIN_SEGMENTS <= len(keys) <= MAX_SEGMENTS:
            raise serializers.ValidationError(_t("Name 2 to %(most)d different keys.") % {"most": MAX_SEGMENTS})
        known = Segment.objects.in_bulk(keys, field_name="key")
        lost = [key for key in keys if key not in known]
        if lost:
            raise serializers.ValidationError(_t("no such segment: %(keys)s") % {"keys": ", ".join(lost)})
        return [known[key] for key in keys]


class OverlapCell(serializers.Serializer[Any]):
    """What the row's segment shares with the one called `key`."""

    key = serializers.CharField()
    people = serializers.IntegerField(help_text=_("in both"))
    share = serializers.FloatField(help_text=_("of the row's members, 0 to 1"))
    jaccard = serializers.FloatField(help_text=_("in both, of those in either, 0 to 1"))


class OverlapRow(serializers.Serializer[Any]):
    """A segment, and what it shares with each."""

    key = serializers.CharField()
    members = serializers.IntegerField()
    cells = OverlapCell(many=True)


class OverlapRead(serializers.Serializer[Any]):
    """The matrix, rows and columns in the order of the keys."""

    rows = OverlapRow(many=True)


class SizesQuery(StrictSerializer):
    """How far back to look."""

    days = serializers.IntegerField(
        min_value=1, max_value=MAX_DAYS, default=segment_sizes.DAYS, help_text=_("up to the last known day")
    )


class SizeRead(serializers.Serializer[SegmentSize]):
    """A day in the installation's zone: the last count of members, and who entered and left."""

    day = serializers.DateField()
    members = serializers.IntegerField()
    entered = serializers.IntegerField()
    left = serializers.IntegerField()


class SizesRead(serializers.Serializer[Any]):
    """Oldest first; days on which Heed did not run are missing."""

    results = SizeRead(many=True)


class OverlapView(ApiView):
    """Which people segments share."""

    scopes = {"GET": ["segments:read"]}

    @extend_schema(
        operation_id="segments_overlap_retrieve",
        summary="Compare the members of segments",
        parameters=[OpenApiParameter("keys", {"type": "string", "pattern": KEY_LIST}, required=True)],
        responses=OverlapRead,
        tags=["segments"],
    )
    def get(self, request: Request) -> Response:
        return Response(_shown(overlap(self.read(OverlapQuery, request).validated_data["keys"])))


class SizesView(ApiView):
    """How a segment grew."""

    scopes = {"GET": ["segments:read"]}

    @extend_schema(
        operation_id="segments_sizes_list",
        summary="Read the size of a segment day by day",
        parameters=[
            OpenApiParameter("key", {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"}, OpenApiParameter.PATH),
            SizesQuery,
        ],
        responses=SizesRead,
        tags=["segments"],
    )
    def get(self, request: Request, key: str) -> Response:
        segment = get_object_or_404(Segment, key=key)
        days = self.read(SizesQuery, request).validated_data["days"]
        return Response(SizesRead({"results": segment_sizes.last_days(segment, days)}).data)


def _shown(found: Overlap) -> dict[str, Any]:
    return {
        "rows": [
            {
                "key": row.key,
                "members": found.size(row),
                "cells": [
                    {
                        "key": column.key,
                        "people": cell.people,
                        "share": round(cell.share, DIGITS),
                        "jaccard": round(cell.jaccard, DIGITS),
                    }
                    for column, cell in zip(found.segments, cells, strict=True)
                ],
            }
            for row, cells in found.rows()
        ]
    }
