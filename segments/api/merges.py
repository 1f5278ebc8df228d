"""Merging two profiles of one person, and undoing that."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.idempotency import idempotent
from segments.api.profile_serializers import MergeRead, MergeUndo, MergeWrite
from segments.models import MergeCause, Profile, ProfileMerge
from segments.services import merging
from segments.services.merging import MergeError


class MergeProfileView(ApiView):
    """Taking in another profile."""

    scopes = {"POST": ["profiles:merge"]}

    @extend_schema(
        summary="Merge another profile into this one",
        description="This profile keeps what it knows; the other fills gaps and gives identifiers, events and tags. Of "
        "the consents, the most restrictive count. Its uid leads here from now on.",
        request=MergeWrite,
        responses={201: MergeRead},
        tags=["profiles"],
    )
    @idempotent
    def post(self, request: Request, uid: UUID) -> Response:
        survivor = get_object_or_404(Profile, subject__uid=uid)
        given = self.read(MergeWrite, request).validated_data
        absorbed = Profile.objects.filter(subject__uid=given["absorb"]).values_list("pk", flat=True).first()
        try:
            made = merging.merge(
                survivor_id=survivor.pk, absorbed_id=absorbed or 0, cause=MergeCause.API, actor=self.actor,
                now=timezone.now(), note=given.get("note", ""),
            )  # fmt: skip
        except MergeError as error:
            raise ValidationError({error.field: [error.reason]}) from None
        return Response(_shown(made), status=201)


class UndoMergeView(ApiView):
    """Taking a merge apart."""

    scopes = {"POST": ["profiles:merge"]}

    @extend_schema(
        summary="Undo a merge",
        description="What came from the absorbed profile goes back to it; what came after the merge stays with the "
        "survivor. Merges into one survivor are undone newest first. No withdrawal is undone.",
        request=MergeUndo,
        responses=MergeRead,
        tags=["profiles"],
    )
    @idempotent
    def post(self, request: Request, uid: UUID) -> Response:
        made = get_object_or_404(ProfileMerge, uid=uid)
        given = self.read(MergeUndo, request).validated_data
        try:
            undone = merging.undo(merge=made, actor=self.actor, now=timezone.now(), note=given.get("note", ""))
        except MergeError as error:
            raise ValidationError({error.field: [error.reason]}) from None
        return Response(_shown(undone))


def _shown(made: ProfileMerge) -> object:
    merges = ProfileMerge.objects.select_related("survivor__subject", "absorbed__subject")
    return MergeRead(merges.get(pk=made.pk)).data
