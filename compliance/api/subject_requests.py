"""Requests of people about their own data, handed in by a partner system such as a shop's privacy page."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.fields import ChoiceField, StrictSerializer, TextField, UidField
from compliance.api.idempotency import idempotent
from compliance.models import RequestKind, RequestState, Subject, SubjectRequest
from compliance.services import subject_requests

MAX_SOURCE = 120


class SubjectRequestWrite(StrictSerializer):
    """What a person asks for. Their identity is checked by staff before anything is done."""

    subject = UidField(help_text=_("public id of the person"))
    kind = ChoiceField(choices=RequestKind.values)
    source = TextField(max_length=MAX_SOURCE, help_text=_("how the request came"))  # type: ignore[assignment]


class SubjectRequestRead(serializers.Serializer[SubjectRequest]):
    """A request and how far it is."""

    uid = serializers.UUIDField()
    subject = serializers.UUIDField(source="subject.uid")
    kind = serializers.ChoiceField(choices=RequestKind.values)
    state = serializers.ChoiceField(choices=RequestState.values)
    received_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)


class SubjectRequestsView(ApiView):
    """Handing in requests."""

    scopes = {"POST": ["requests:write"]}

    @extend_schema(
        operation_id="subject_requests_create",
        summary="Hand in a request of a person",
        request=SubjectRequestWrite,
        responses={201: SubjectRequestRead},
        tags=["subject requests"],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given: dict[str, Any] = dict(self.read(SubjectRequestWrite, request).validated_data)
        subject = Subject.objects.filter(uid=given["subject"], erased_at__isnull=True).first()
        if subject is None:
            raise ValidationError({"subject": [_("There is no such person.")]})
        made = subject_requests.receive(
            subject=subject, kind=given["kind"], source=given["source"], actor=self.actor, now=timezone.now()
        )
        return Response(SubjectRequestRead(made).data, status=201)


class SubjectRequestView(ApiView):
    """One request."""

    scopes = {"GET": ["requests:read"]}

    @extend_schema(
        operation_id="subject_requests_read",
        summary="Read the state of a request",
        responses=SubjectRequestRead,
        tags=["subject requests"],
    )
    def get(self, request: Request, uid: Any) -> Response:
        found = get_object_or_404(SubjectRequest.objects.select_related("subject"), uid=uid)
        return Response(SubjectRequestRead(found).data)
