"""Deliveries: one line per message, or per person left out with the reason."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.models import Delivery
from campaigns.selectors.delivery_pages import DeliveryFilter, page_after
from campaigns.states import DeliveryState
from compliance.api.base import ApiView
from compliance.api.fields import ChoiceField, TextField, UidField
from compliance.api.pages import PageQuery, page
from compliance.channels import Channel


class DeliveryQuery(PageQuery):
    """Filters; each narrows the list further."""

    run = UidField(required=False, help_text=_("uid of a run"))
    campaign = TextField(max_length=50, required=False, help_text=_("key of a campaign"))
    profile = UidField(required=False, help_text=_("uid of a profile"))
    state = ChoiceField(choices=DeliveryState.values, required=False)
    reason = TextField(max_length=64, required=False, help_text=_("such as no_consent"))


class DeliveryRead(serializers.Serializer[Delivery]):
    """A message to a person, or, with state `excluded`, the reason why there is none."""

    run = serializers.UUIDField(source="run.uid")
    campaign = serializers.CharField(source="run.campaign.key")
    profile = serializers.UUIDField(source="subject_uid")
    step = serializers.IntegerField()
    channel = serializers.ChoiceField(choices=Channel.values)
    state = serializers.ChoiceField(choices=DeliveryState.values)
    reason = serializers.CharField(allow_blank=True)
    attempts = serializers.IntegerField()
    due_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    changed_at = serializers.DateTimeField()


class DeliveryPage(serializers.Serializer[Any]):
    """Some of the deliveries, by run and person."""

    results = DeliveryRead(many=True)
    next = serializers.CharField(allow_null=True)


class DeliveriesView(ApiView):
    """What became of every message."""

    scopes = {"GET": ["deliveries:read"]}

    @extend_schema(
        operation_id="deliveries_list",
        summary="List deliveries",
        parameters=[DeliveryQuery],
        responses=DeliveryPage,
        tags=["deliveries"],
    )
    def get(self, request: Request) -> Response:
        query = self.read(DeliveryQuery, request)
        filters = dict(query.validated_data)
        limit, after = filters.pop("limit"), query.after(length=3)
        filters.pop("cursor", None)
        key = (after[0], after[1], after[2]) if after else None
        rows = page_after(DeliveryFilter(**filters), after=key, limit=limit + 1)
        return Response(
            page(
                rows,
                limit=limit,
                key=lambda row: (row.run_id, row.profile_id, row.step),
                show=lambda row: DeliveryRead(row).data,
            )
        )
