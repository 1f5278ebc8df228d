"""The inbox of a person: what an app or shop shows them, and that they have read it."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.selectors import inbox as messages
from campaigns.services import inbox
from compliance.api.base import ApiView
from compliance.api.fields import ChoiceField, StrictSerializer, UidField
from compliance.api.idempotency import idempotent
from compliance.api.pages import PageQuery, page
from segments.selectors.profiles import current_id

MOST = 100


class InboxQuery(PageQuery):
    """Which messages."""

    unread = ChoiceField(choices=["true", "false"], default="false", help_text=_("only those that were not read yet"))


class InboxMessageRead(serializers.Serializer[Any]):
    """A message to show to the person."""

    uid = serializers.UUIDField()
    title = serializers.CharField()
    body = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)


class InboxPage(serializers.Serializer[Any]):
    """Some of the messages, the newest first."""

    results = InboxMessageRead(many=True)
    next = serializers.CharField(allow_null=True)


class InboxReadWrite(StrictSerializer):
    """The messages that the person has read."""

    messages = serializers.ListField(child=UidField(), min_length=1, max_length=MOST)


class InboxReadResult(serializers.Serializer[Any]):
    """How many of them were unread until now."""

    read = serializers.IntegerField()


class InboxView(ApiView):
    """Messages of a person."""

    scopes = {"GET": ["inbox:read"]}

    @extend_schema(
        operation_id="inbox_list",
        summary="List the in-app messages of a person, latest first",
        description="Messages that have expired or were taken down are left out. The uid of a profile that was merged "
        "into another gives that one's messages.",
        parameters=[InboxQuery],
        responses=InboxPage,
        tags=["inbox"],
    )
    def get(self, request: Request, uid: UUID) -> Response:
        query = self.read(InboxQuery, request)
        limit, after = query.validated_data["limit"], query.after()
        rows = messages.page(
            _person(uid), now=timezone.now(), before=after[0] if after else None, limit=limit + 1,
            unread_only=query.validated_data["unread"] == "true",
        )  # fmt: skip
        return Response(page(rows, limit=limit, key=lambda row: (row.id,), show=lambda row: InboxMessageRead(row).data))


class InboxReadView(ApiView):
    """What a person has read."""

    scopes = {"POST": ["inbox:write"]}

    @extend_schema(
        operation_id="inbox_read",
        summary="Say that a person has read in-app messages",
        description="Messages that are not in this inbox, or not shown any more, are passed over.",
        request=InboxReadWrite,
        responses={200: InboxReadResult},
        tags=["inbox"],
    )
    @idempotent
    def post(self, request: Request, uid: UUID) -> Response:
        given = self.read(InboxReadWrite, request).validated_data
        person = _person(uid)
        return Response({"read": inbox.mark_read(profile_id=person, uids=given["messages"], now=timezone.now())})


def _person(uid: UUID) -> int:
    found = current_id(uid)
    if found is None:
        raise Http404
    return found
