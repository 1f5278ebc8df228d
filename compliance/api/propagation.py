"""What a downstream system has to act on, for those that ask instead of being told, and their acknowledgements."""

from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.pages import PageQuery, page
from compliance.models import DownstreamSystem, PropagationState, PropagationTask
from compliance.services import propagation


class TaskRead(serializers.Serializer[PropagationTask]):
    """A decision of a person that the system has to act on before the deadline."""

    uid = serializers.UUIDField()
    subject = serializers.UUIDField(source="record.subject.uid", help_text=_("public id of the person"))
    purpose = serializers.CharField(source="record.purpose.key")
    channel = serializers.CharField(source="record.channel")
    action = serializers.CharField(source="record.action")
    occurred_at = serializers.DateTimeField(source="record.occurred_at")
    state = serializers.ChoiceField(choices=PropagationState.values)
    deadline_at = serializers.DateTimeField()
    acknowledged_at = serializers.DateTimeField(allow_null=True)


class TaskPage(serializers.Serializer[Any]):
    """Some of the open tasks, oldest first."""

    results = TaskRead(many=True)
    next = serializers.CharField(allow_null=True)


class PropagationView(ApiView):
    """The open tasks of the calling system."""

    scopes = {"GET": ["propagation:read"]}

    @extend_schema(
        operation_id="propagation_list",
        summary="List what your system has to act on",
        description="Decisions that your system has not acknowledged yet, oldest first. Listing them counts as being "
        "told, not as having acted.",
        parameters=[PageQuery],
        responses=TaskPage,
        tags=["propagation"],
    )
    def get(self, request: Request) -> Response:
        query = self.read(PageQuery, request)
        limit, after = query.validated_data["limit"], query.after()
        mine = propagation.open_tasks().filter(system__client=self.token.application)
        tasks = mine.select_related(*propagation.RECORD)
        rows = list(tasks.filter(pk__gt=after[0] if after else 0).order_by("pk")[: limit + 1])
        propagation.fetched(tasks=rows[:limit], now=timezone.now())
        return Response(page(rows, limit=limit, key=lambda row: (row.pk,), show=lambda row: TaskRead(row).data))


class AcknowledgeView(ApiView):
    """Saying that the system has acted."""

    scopes = {"POST": ["propagation:write"]}

    @extend_schema(
        operation_id="propagation_acknowledge",
        summary="Acknowledge a task",
        description="Say that your system has acted on the decision. Doing it twice changes nothing.",
        request=None,
        responses=TaskRead,
        tags=["propagation"],
    )
    def post(self, request: Request, uid: Any) -> Response:
        system = get_object_or_404(DownstreamSystem, client=self.token.application)
        task = propagation.acknowledge(system=system, uid=uid, actor=self.actor, now=timezone.now())
        if task is None:
            raise Http404
        return Response(TaskRead(task).data)
