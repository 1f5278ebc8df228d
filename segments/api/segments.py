"""The segments: what they ask, and having it asked."""

from typing import Any
from uuid import uuid4

from django.core.exceptions import ValidationError as ModelError
from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.idempotency import idempotent
from compliance.api.pages import PageQuery, page
from compliance.api.problems import MEDIA_TYPE, ProblemSerializer
from segments.api import segment_serializers as forms
from segments.models import Segment, SegmentKind
from segments.rules import RuleError
from segments.services import previews, segments
from segments.services.segments import SegmentInUseError

KEY = OpenApiParameter("key", {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"}, OpenApiParameter.PATH)
CONFLICT: Any = (409, MEDIA_TYPE)


def conflict(description: str) -> Any:
    """The answer 409 in a description of responses."""
    return {CONFLICT: OpenApiResponse(ProblemSerializer, description)}


class SegmentsView(ApiView):
    """All segments."""

    scopes = {"GET": ["segments:read"], "POST": ["segments:write"]}

    @extend_schema(
        operation_id="segments_list",
        summary="List segments",
        parameters=[PageQuery],
        responses=forms.SegmentPage,
        tags=["segments"],
    )
    def get(self, request: Request) -> Response:
        query = self.read(PageQuery, request)
        limit, after = query.validated_data["limit"], query.after()
        found = Segment.objects.filter(pk__gt=after[0]) if after else Segment.objects.all()
        rows = list(found.order_by("pk")[: limit + 1])
        return Response(
            page(rows, limit=limit, key=lambda row: (row.pk,), show=lambda row: forms.SegmentRead(row).data)
        )

    @extend_schema(
        operation_id="segments_create",
        summary="Create a segment",
        description="`dynamic`: members follow the rule. `snapshot`: the rule is asked once, now. `uploaded`: members "
        "come in lists, there is no rule. A fault of the rule is named by the path of its node.",
        request=forms.SegmentWrite,
        responses={201: forms.SegmentDetail},
        tags=["segments"],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given = dict(self.read(forms.SegmentWrite, request).validated_data)
        definition = given.pop("definition", {})
        try:
            made = segments.create(definition=definition, **given, actor=self.actor, now=timezone.now())
        except RuleError as error:
            raise forms.rule_problem(error) from None
        except ModelError as error:
            raise forms.model_problem(error) from None
        return Response(_shown(made), status=201)


class SegmentView(ApiView):
    """One segment."""

    scopes = {"GET": ["segments:read"], "PATCH": ["segments:write"], "DELETE": ["segments:write"]}

    @extend_schema(
        operation_id="segments_retrieve",
        summary="Read a segment",
        parameters=[KEY],
        responses=forms.SegmentDetail,
        tags=["segments"],
    )
    def get(self, request: Request, key: str) -> Response:
        return Response(_shown(get_object_or_404(Segment, key=key)))

    @extend_schema(
        operation_id="segments_partial_update",
        summary="Change a segment",
        description="Another definition is a new version; members change with the next refresh. An inactive segment "
        "keeps its members as they are.",
        parameters=[KEY],
        request=forms.SegmentPatch,
        responses={200: forms.SegmentDetail, **conflict("It is asked for, and cannot be made inactive.")},
        tags=["segments"],
    )
    @idempotent
    def patch(self, request: Request, key: str) -> Response:
        segment = get_object_or_404(Segment, key=key)
        given = dict(self.read(forms.SegmentPatch, request).validated_data)
        now = timezone.now()
        try:
            with transaction.atomic():
                _change(segment, given, self.actor, now)
        except RuleError as error:
            raise forms.rule_problem(error) from None
        except ModelError as error:
            raise forms.model_problem(error) from None
        except SegmentInUseError as error:
            raise _in_use(error) from None
        return Response(_shown(segment))

    @extend_schema(
        operation_id="segments_delete",
        summary="Put a segment out of use",
        description="It stays, inactive, with its members, versions and history.",
        parameters=[KEY],
        responses={200: forms.SegmentDetail, **conflict("A campaign, a cap, a tag or another segment asks for it.")},
        tags=["segments"],
    )
    def delete(self, request: Request, key: str) -> Response:
        segment = get_object_or_404(Segment, key=key)
        try:
            segments.archive(segment=segment, actor=self.actor, now=timezone.now())
        except SegmentInUseError as error:
            raise _in_use(error) from None
        return Response(_shown(segment))


class RefreshSegmentView(ApiView):
    """Asking a rule anew."""

    scopes = {"POST": ["segments:write"]}

    @extend_schema(
        operation_id="segments_refresh_create",
        summary="Refresh a segment, or take a snapshot anew",
        parameters=[KEY],
        request=None,
        responses={200: forms.RefreshRead, **conflict("It has no rule, or is inactive.")},
        tags=["segments"],
    )
    @idempotent
    def post(self, request: Request, key: str) -> Response:
        segment = get_object_or_404(Segment, key=key)
        if segment.kind == SegmentKind.UPLOADED:
            raise forms.Conflict(_("A list of people has no rule to be refreshed by."))
        if not segment.is_active:
            raise forms.Conflict(_("The segment is inactive."))
        act = segments.take_snapshot if segment.kind == SegmentKind.SNAPSHOT else segments.refresh
        try:
            result = act(segment=segment, now=timezone.now(), actor=self.actor)
        except RuleError as error:
            raise forms.Conflict(_("The rule cannot be used any more: %(fault)s") % {"fault": error}) from None
        return Response(forms.RefreshRead(result).data)


class PreviewSegmentView(ApiView):
    """What an unsaved rule would select: counts can tell of a single person, so that only writers may ask."""

    scopes = {"POST": ["segments:write"]}

    @extend_schema(
        operation_id="segment_preview_create",
        summary="Count whom an unsaved rule selects",
        description="Also what each condition of the root group removes, or adds. No personal data.",
        request=forms.PreviewWrite,
        responses=forms.PreviewRead,
        tags=["segments"],
    )
    def post(self, request: Request) -> Response:
        definition = self.read(forms.PreviewWrite, request).validated_data["definition"]
        try:
            found = previews.preview(definition=definition, form=f"api/{uuid4()}", now=timezone.now())
        except RuleError as error:
            raise forms.rule_problem(error) from None
        return Response(forms.PreviewRead(found).data)


def _change(segment: Segment, given: dict[str, Any], actor: str, now: Any) -> None:
    if "definition" in given:
        segments.change_definition(segment=segment, definition=given.pop("definition"), actor=actor, now=now)
    is_active = given.pop("is_active", segment.is_active)
    if given or is_active > segment.is_active:
        details = {"name": segment.name, "description": segment.description, **given}
        segments.change_details(
            segment=segment, **details, is_active=is_active or segment.is_active, actor=actor, now=now
        )
    if is_active < segment.is_active:
        segment.refresh_from_db()
        segments.archive(segment=segment, actor=actor, now=now)


def _in_use(error: SegmentInUseError) -> forms.Conflict:
    users = ", ".join(f"{user.kind} “{user.name}”" for user in error.users)
    return forms.Conflict(_("It is asked for by: %(users)s") % {"users": users})


def _shown(segment: Segment) -> Any:
    segment.refresh_from_db()
    return forms.SegmentDetail(segment).data
