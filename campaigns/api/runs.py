"""Runs: one line per execution of a campaign, or per time at which nothing was sent with the reason."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.models import Run
from campaigns.reasons import SkipReason
from campaigns.selectors import run_pages
from campaigns.states import RunState
from compliance.api.base import ApiView
from compliance.api.fields import ChoiceField, TextField
from compliance.api.pages import PageQuery, page


class RunQuery(PageQuery):
    """Filters; each narrows the list further."""

    campaign = TextField(max_length=50, required=False, help_text=_("key of a campaign"))
    state = ChoiceField(choices=RunState.values, required=False)


class RunRead(serializers.Serializer[Run]):
    """An execution of a campaign; with state `skipped`, the reason why nothing was sent at this time."""

    uid = serializers.UUIDField()
    campaign = serializers.CharField(source="campaign.key")
    scheduled_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=RunState.values)
    reason = serializers.ChoiceField(choices=SkipReason.values, allow_blank=True)
    planned = serializers.IntegerField()
    excluded = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    planned_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class RunPage(serializers.Serializer[Any]):
    """Some of the runs, the oldest first."""

    results = RunRead(many=True)
    next = serializers.CharField(allow_null=True)


class RunsView(ApiView):
    """When campaigns ran, and how far each run is."""

    scopes = {"GET": ["deliveries:read"]}

    @extend_schema(
        operation_id="runs_list", summary="List runs", parameters=[RunQuery], responses=RunPage, tags=["deliveries"]
    )
    def get(self, request: Request) -> Response:
        query = self.read(RunQuery, request)
        limit, after = query.validated_data["limit"], query.after()
        rows = run_pages.page_after(
            campaign=query.validated_data.get("campaign"),
            state=query.validated_data.get("state"),
            after=after[0] if after else 0,
            limit=limit + 1,
        )
        return Response(page(rows, limit=limit, key=lambda row: (row.pk,), show=lambda row: RunRead(row).data))
