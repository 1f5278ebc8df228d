"""Tags: which there are, giving them to many people, and those of one person."""

from collections import Counter
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as ModelError
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.idempotency import idempotent
from compliance.api.pages import PageQuery, page
from segments.api import tag_serializers as forms
from segments.api.fields import NAMES
from segments.models import Profile, Tag
from segments.selectors.tags import weighed_tags
from segments.services import sources
from segments.services.tags import assignment, imports

KEY = OpenApiParameter("key", {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"}, OpenApiParameter.PATH)


class TagsView(ApiView):
    """All tags."""

    scopes = {"GET": ["tags:read"]}

    @extend_schema(
        operation_id="tags_list", summary="List tags", parameters=[PageQuery], responses=forms.TagPage, tags=["tags"]
    )
    def get(self, request: Request) -> Response:
        query = self.read(PageQuery, request)
        limit, after = query.validated_data["limit"], query.after()
        found = Tag.objects.filter(pk__gt=after[0]) if after else Tag.objects.all()
        rows = list(found.select_related("parent").order_by("pk")[: limit + 1])
        return Response(
            page(rows, limit=limit, key=lambda row: (row.pk,), show=lambda row: forms.TagDefinition(row).data)
        )


class TagPeopleView(ApiView):
    """Giving a tag to people."""

    scopes = {"POST": ["tags:write"]}

    @extend_schema(
        operation_id="tags_people_create",
        summary="Give a tag to people",
        description="For tags that are imported, come from a model or are given by hand. Each person has a result: "
        "`given`, `rejected` with the reason, or `excluded` when the tag was removed from the person for good.",
        parameters=[KEY],
        request=forms.TagPeopleWrite,
        responses=forms.TagPeopleTaken,
        tags=["tags"],
    )
    @idempotent
    def post(self, request: Request, key: str) -> Response:
        tag = get_object_or_404(Tag, key=key)
        given = self.read(forms.TagPeopleWrite, request).validated_data
        rows = [imports.PersonInput(**_person(row)) for row in given["people"]]
        try:
            results = imports.take_in(
                tag=tag, source=sources.get_or_create(given["source"]), rows=rows, actor=self.actor, now=timezone.now()
            )
        except ModelError as error:
            raise _named(error, {"tag": "key"}) from None
        counts = Counter(result.status for result in results)
        body = {status: counts[status] for status in forms.STATUSES}
        return Response({**body, "results": [forms.TagOutcome(result).data for result in results]})


class ProfileTagsView(ApiView):
    """The tags of one person."""

    scopes = {"GET": ["profiles:read"], "POST": ["tags:write"]}

    @extend_schema(
        operation_id="profiles_tags_list",
        summary="List the tags of a person, and why each is there",
        description="The effective weight is what is left of the weight now, times the boosts that run.",
        responses=forms.CarriedTags,
        tags=["tags"],
    )
    def get(self, request: Request, uid: UUID) -> Response:
        profile = get_object_or_404(Profile, subject__uid=uid)
        now = timezone.now()
        rows = weighed_tags([profile.pk], now)
        return Response({"results": forms.CarriedTag(rows, many=True, context={"now": now}).data})

    @extend_schema(
        operation_id="profiles_tags_create",
        summary="Give a tag to a person by decision",
        description="Computations leave such a tag alone; an earlier removal is lifted.",
        request=forms.TagAssign,
        responses=forms.CarriedTag,
        tags=["tags"],
    )
    @idempotent
    def post(self, request: Request, uid: UUID) -> Response:
        profile = get_object_or_404(Profile, subject__uid=uid)
        given = dict(self.read(forms.TagAssign, request).validated_data)
        tag = Tag.objects.filter(key=given.pop("tag")).first()
        if tag is None:
            raise ValidationError({"tag": [_("There is no such tag.")]})
        now = timezone.now()
        try:
            assignment.assign(tag=tag, given=assignment.Given(profile.pk, **given), actor=self.actor, now=now)
        except ModelError as error:
            raise _named(error) from None
        row = weighed_tags([profile.pk], now).get(tag=tag)
        return Response(forms.CarriedTag(row, context={"now": now}).data)


class ProfileTagView(ApiView):
    """One tag of one person."""

    scopes = {"DELETE": ["tags:write"]}

    @extend_schema(
        operation_id="profiles_tags_delete",
        summary="Remove a tag from a person",
        description="It stays removed: no computation, import or model gives it again. A tag that is only ever given "
        "by hand is just taken.",
        parameters=[KEY],
        responses={200: forms.TagRemoved},
        tags=["tags"],
    )
    def delete(self, request: Request, uid: UUID, key: str) -> Response:
        profile = get_object_or_404(Profile, subject__uid=uid)
        tag = get_object_or_404(Tag, key=key)
        removed = assignment.remove(
            tag=tag, profile_id=profile.pk, reason="API", actor=self.actor,
            now=timezone.now(),
        )  # fmt: skip
        return Response({"removed": removed})


def _person(row: dict[str, Any]) -> dict[str, Any]:
    named = next(name for name in NAMES if name in row)
    return {"identifier": named, "value": str(row[named]), **{k: v for k, v in row.items() if k not in NAMES}}


def _named(error: ModelError, renamed: dict[str, str] | None = None) -> ValidationError:
    names = renamed or {}
    return ValidationError({names.get(name, name): texts for name, texts in error.message_dict.items()})
