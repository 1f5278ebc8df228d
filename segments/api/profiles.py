"""People: create or update one, read one, find one by an identifier."""

from typing import Any
from uuid import UUID

from django.db.models import Prefetch
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.idempotency import idempotent
from compliance.api.problems import MEDIA_TYPE, ProblemSerializer
from segments.api import profile_serializers as forms
from segments.api.fields import source_named
from segments.models import Profile, ProfileTag
from segments.profile_input import InputError, ProfileInput
from segments.selectors.profiles import current_id, find_by_identifier
from segments.services import personal_data, profile_intake, sources

PERSONAL_SCOPE = "profiles:personal"


class ProfilesView(ApiView):
    """Telling what a source knows of a person."""

    scopes = {"POST": ["profiles:write"]}

    @extend_schema(
        summary="Create or update a profile",
        description="The person is recognised by any of the identifiers; the strongest decides: phone, e-mail, WeChat, "
        "customer number, device. Two known people whom it shows to be one are merged, unless something contradicts. "
        "Fields left out stay as they are, an empty text empties its field, attributes are merged name by name.",
        request=forms.ProfileWrite,
        responses={
            200: OpenApiResponse(forms.ProfileWritten, "The person was known."),
            201: OpenApiResponse(forms.ProfileWritten, "The person was created."),
        },
        tags=["profiles"],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given = dict(self.read(forms.ProfileWrite, request).validated_data)
        source = sources.get_or_create(given.pop("source"))
        result = profile_intake.take(
            source=source, inputs=[ProfileInput(**given)], actor=self.actor, now=timezone.now()
        )[0]
        if result.profile_id is None:
            raise ValidationError({result.field: [result.reason]})
        profile = Profile.objects.select_related("subject").get(pk=result.profile_id)
        written = {name: getattr(result, name) for name in ("created", "merged", "in_review")}
        body = forms.ProfileWritten({"uid": profile.subject.uid, **written}).data
        return Response(body, status=201 if result.created else 200)


class ProfileView(ApiView):
    """One person."""

    scopes = {"GET": ["profiles:read"]}

    @extend_schema(
        summary="Read a profile",
        description=f"Name and identifiers are null unless the token also has the scope `{PERSONAL_SCOPE}`; then the "
        "look is written to the audit log. The uid of a profile that was merged into another gives that one.",
        responses=forms.ProfileRead,
        tags=["profiles"],
    )
    def get(self, request: Request, uid: UUID) -> Response:
        return Response(_shown(get_object_or_404(_profiles(), pk=current_id(uid)), self))


class FindProfileView(ApiView):
    """A look-up. It is a POST so that no address stands in a URL, and so in no log."""

    scopes = {"POST": ["profiles:read"]}

    @extend_schema(
        summary="Find a profile by an identifier",
        request=forms.ProfileFind,
        responses={
            200: forms.ProfileRead,
            (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, "Nobody has this identifier."),
        },
        tags=["profiles"],
    )
    def post(self, request: Request) -> Response:
        wanted = self.read(forms.ProfileFind, request).validated_data
        source = source_named(wanted["source"]) if "source" in wanted else None
        if "source" in wanted and source is None:
            raise NotFound(_("Nobody has this identifier."))
        try:
            found = find_by_identifier(wanted["kind"], wanted["value"], source)
        except InputError as error:
            name = error.field if error.field == "source" else "value"
            raise ValidationError({name: [error.reason]}) from None
        if found is None:
            raise NotFound(_("Nobody has this identifier."))
        return Response(_shown(_profiles().get(pk=found.pk), self))


def _profiles() -> Any:
    now = timezone.now()
    carried = ProfileTag.objects.carried(now).weighed(now).select_related("tag")
    return Profile.objects.select_related("subject", "stats").prefetch_related(
        Prefetch("tags", queryset=carried.order_by("tag__key"), to_attr="carried_tags")
    )


def _shown(profile: Profile, view: ApiView) -> Any:
    """The profile as the token may see it."""
    context: dict[str, Any] = {"personal": None}
    if view.token.allow_scopes([PERSONAL_SCOPE]):
        context["personal"] = personal_data.look(profile=profile, actor=view.actor, now=timezone.now())
    return forms.ProfileRead(profile, context=context).data
