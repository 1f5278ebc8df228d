"""Who is in segments, who was, and why."""

from collections import Counter
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.idempotency import idempotent
from compliance.api.pages import PageQuery, page
from segments.api import segment_serializers as forms
from segments.api.segments import KEY, conflict
from segments.models import Segment, SegmentKind
from segments.selectors import explanations, segment_history
from segments.selectors.profiles import current_id
from segments.selectors.segments import members_after
from segments.services import segment_lists, sources
from segments.services.segment_lists import Named


class MembersView(ApiView):
    """Who is in a segment."""

    scopes = {"GET": ["segments:read"], "POST": ["segments:write"]}

    @extend_schema(
        operation_id="segments_members_list",
        summary="List the members of a segment",
        description="People who enter or leave while you page through shift nobody else.",
        parameters=[KEY, PageQuery],
        responses=forms.MemberPage,
        tags=["segments"],
    )
    def get(self, request: Request, key: str) -> Response:
        segment = get_object_or_404(Segment, key=key)
        query = self.read(PageQuery, request)
        limit, after = query.validated_data["limit"], query.after()
        rows = members_after(segment, cursor=after[0] if after else 0, limit=limit + 1)
        return Response(
            page(rows, limit=limit, key=lambda row: (row.profile_id,), show=lambda row: forms.MemberRead(row).data)
        )

    @extend_schema(
        operation_id="segments_members_create",
        summary="Upload members of a segment",
        description="For uploaded segments. `add` lets the people in, `remove` out; with `replace` exactly they are "
        "members. Each has a result: `accepted`, `duplicate` of one before, or `rejected` with the reason; the others "
        "count whatever becomes of one.",
        parameters=[KEY],
        request=forms.MembersWrite,
        responses={200: forms.MembersTaken, **conflict("The members of this segment follow from its rule.")},
        tags=["segments"],
    )
    @idempotent
    def post(self, request: Request, key: str) -> Response:
        segment = get_object_or_404(Segment, key=key)
        given = self.read(forms.MembersWrite, request).validated_data
        if segment.kind != SegmentKind.UPLOADED:
            raise forms.Conflict(_("The members of this segment follow from its rule."))
        people = [_named(row) for row in given["people"]]
        result, outcomes = segment_lists.take_in(
            segment=segment, people=people, mode=given["mode"], source=sources.get_or_create(given["source"]),
            actor=self.actor, now=timezone.now(),
        )  # fmt: skip
        counts = Counter(outcome.status for outcome in outcomes)
        body = {status: counts[status] for status in forms.STATUSES}
        results = [forms.MemberOutcome(outcome).data for outcome in outcomes]
        return Response({**forms.RefreshRead(result).data, **body, "results": results})


class HistoryView(ApiView):
    """Who entered and left a segment."""

    scopes = {"GET": ["segments:read"]}

    @extend_schema(
        operation_id="segments_history_list",
        summary="List who entered and left a segment, latest first",
        parameters=[KEY, forms.HistoryQuery],
        responses=forms.ChangePage,
        tags=["segments"],
    )
    def get(self, request: Request, key: str) -> Response:
        segment = get_object_or_404(Segment, key=key)
        query = self.read(forms.HistoryQuery, request)
        limit, after = query.validated_data["limit"], query.after()
        rows = segment_history.changes_after(
            segment, cursor=after[0] if after else None, limit=limit + 1, kind=query.validated_data.get("change", "")
        )
        return Response(page(rows, limit=limit, key=lambda row: (row.pk,), show=lambda row: forms.ChangeRead(row).data))


class ProfileSegmentsView(ApiView):
    """The segments of one person."""

    scopes = {"GET": ["profiles:read", "segments:read"]}

    @extend_schema(
        operation_id="profiles_segments_list",
        summary="List the segments that a person is in, and why",
        description="With `explain=true`, the rule in words, and for each node whether it holds for the person now.",
        parameters=[forms.ExplainQuery],
        responses=forms.ProfileSegments,
        tags=["segments"],
    )
    def get(self, request: Request, uid: UUID) -> Response:
        profile_id = current_id(uid)
        if profile_id is None:
            raise Http404
        explain = self.read(forms.ExplainQuery, request).validated_data["explain"] == "true"
        if explain:
            rows = explanations.reasons(profile_id, timezone.now())
        else:
            rows = [explanations.Reason(membership) for membership in explanations.segments_of(profile_id)]
        shown = forms.ProfileSegment(rows, many=True, context={"explain": explain}).data
        return Response({"results": shown})


def _named(row: dict[str, object]) -> Named:
    ((identifier, value),) = row.items()
    return Named(identifier, str(value))
