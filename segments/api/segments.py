"""The segments and who is in them."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.pages import PageQuery, page
from segments.models import Segment
from segments.selectors.segments import Member, members_after


class SegmentRead(serializers.Serializer[Segment]):
    """A segment; `refreshed_at` is null until its members were first determined."""

    uid = serializers.UUIDField()
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField()
    is_active = serializers.BooleanField()
    member_count = serializers.IntegerField()
    refreshed_at = serializers.DateTimeField(allow_null=True)


class SegmentPage(serializers.Serializer[Any]):
    """Some of the segments, oldest first."""

    results = SegmentRead(many=True)
    next = serializers.CharField(allow_null=True)


class MemberRead(serializers.Serializer[Member]):
    """Somebody who is in the segment now."""

    uid = serializers.UUIDField()
    entered_at = serializers.DateTimeField()


class MemberPage(serializers.Serializer[Any]):
    """Some of the members."""

    results = MemberRead(many=True)
    next = serializers.CharField(allow_null=True)


class SegmentsView(ApiView):
    """All segments."""

    scopes = {"GET": ["segments:read"]}

    @extend_schema(
        operation_id="segments_list",
        summary="List segments",
        parameters=[PageQuery],
        responses=SegmentPage,
        tags=["segments"],
    )
    def get(self, request: Request) -> Response:
        query = self.read(PageQuery, request)
        limit, after = query.validated_data["limit"], query.after()
        segments = Segment.objects.filter(pk__gt=after[0]) if after else Segment.objects.all()
        rows = list(segments.order_by("pk")[: limit + 1])
        return Response(page(rows, limit=limit, key=lambda row: (row.pk,), show=lambda row: SegmentRead(row).data))


class MembersView(ApiView):
    """Who is in a segment."""

    scopes = {"GET": ["segments:read"]}

    @extend_schema(
        operation_id="segments_members_list",
        summary="List the members of a segment",
        description="People who enter or leave while you page through shift nobody else.",
        parameters=[
            OpenApiParameter("key", {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"}, OpenApiParameter.PATH),
            PageQuery,
        ],
        responses=MemberPage,
        tags=["segments"],
    )
    def get(self, request: Request, key: str) -> Response:
        segment = get_object_or_404(Segment, key=key)
        query = self.read(PageQuery, request)
        limit, after = query.validated_data["limit"], query.after()
        rows = members_after(segment, cursor=after[0] if after else 0, limit=limit + 1)
        return Response(
            page(rows, limit=limit, key=lambda row: (row.profile_id,), show=lambda row: MemberRead(row).data)
        )
