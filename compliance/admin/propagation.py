from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from compliance import actors
from compliance.admin.base import ReadOnlyAdmin, adopt, done
from compliance.models import DownstreamSystem, PropagationState, PropagationTask
from compliance.services import downstream, propagation

STATE_COLOURS = {"pending": "warning", "told": "info", "acknowledged": "success"}


class AcknowledgeForm(BaseDialogForm):
    note = forms.CharField(
        label=_("How you know"),
        max_length=200,
        help_text=_("For example: letter of the processor of today"),
        widget=UnfoldAdminTextInputWidget,
    )


class OpenFilter(admin.SimpleListFilter):
    title = _("deadline")
    parameter_name = "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("open")), ("overdue", _("open, less than a day left")), ("late", _("deadline missed"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        now = timezone.now()
        open_ones = queryset.exclude(state=PropagationState.ACKNOWLEDGED)
        if self.value() == "overdue":
            return open_ones.filter(deadline_at__lte=now + propagation.ESCALATE_BEFORE)
        if self.value() == "late":
            return open_ones.filter(deadline_at__lte=now)
        return open_ones if self.value() == "open" else queryset


@admin.register(PropagationTask)
class PropagationTaskAdmin(ReadOnlyAdmin):
    """Which system still has to act on which decision, and how much time is left."""

    list_display = ["created_at", "system", "record", "status", "time_left", "attempts", "error"]
    list_filter = [OpenFilter, "state", "system"]
    list_select_related = ["system", "record"]
    show_full_result_count = False
    fields = [
        "uid", "system", "record", "status", "time_left", "created_at", "deadline_at", "attempts", "due_at", "told_at",
        "acknowledged_at", "escalated_at", "error",
    ]  # fmt: skip
    readonly_fields = fields
    actions_detail = ["try_now", "acknowledge"]

    @display(description=_("state"), label=STATE_COLOURS)
    def status(self, obj: PropagationTask) -> tuple[str, str]:
        return obj.state, obj.get_state_display()

    @display(description=_("time left"))
    def time_left(self, obj: PropagationTask) -> str:
        if obj.acknowledged_at is not None:
            taken = _hours(obj.acknowledged_at - obj.created_at)
            return gettext("done after %(time)s") % {"time": taken}
        return _left(obj.deadline_at, timezone.now())

    def has_act_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("compliance.change_propagationtask")

    @action(
        description=_("Try now"),
        permissions=["act"],
        dialog={
            "title": _("Tell the system now"),
            "description": _("It is told within some seconds instead of at the next attempt."),
            "form_class": None,
            "form_submit_text": _("Try now"),
        },
    )
    def try_now(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        task = PropagationTask.objects.select_related("system").get(pk=object_id)
        propagation.retry_now(task=task, actor=actors.user(request.user), now=timezone.now())
        return done(request, _url(object_id), gettext("It is told within some seconds."))

    @action(
        description=_("Acknowledge by hand"),
        permissions=["act"],
        dialog={
            "title": _("The system has acted"),
            "description": _("Say so only when you have it from its owner; what you write is kept in the audit log."),
            "form_class": AcknowledgeForm,
            "form_submit_text": _("Acknowledge"),
        },
    )
    def acknowledge(self, request: HttpRequest, form: AcknowledgeForm, object_id: int) -> HttpResponse:
        task = PropagationTask.objects.select_related("system").get(pk=object_id)
        propagation.acknowledge(
            system=task.system, uid=task.uid, actor=actors.user(request.user), now=timezone.now(),
            note=form.cleaned_data["note"],
        )  # fmt: skip
        return done(request, _url(object_id), gettext("Acknowledged."))


@admin.register(DownstreamSystem)
class DownstreamSystemAdmin(ModelAdmin):
    """Systems that learn of withdrawals. The secret of their webhooks is shown once."""

    list_display = ["name", "key", "url", "client", "wants_consents", "is_active"]
    fields = ["key", "name", "url", "client", "wants_consents"]
    prepopulated_fields = {"key": ["name"]}
    actions_detail = ["renew_secret"]

    def get_fields(self, request: HttpRequest, obj: DownstreamSystem | None = None) -> list[str]:
        return [*self.fields, "is_active", "created_at"] if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: DownstreamSystem | None = None) -> list[str]:
        return ["key", "created_at"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else self.prepopulated_fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)

        class Checked(form):  # type: ignore[misc, valid-type]
            def clean_url(self) -> str:
                url: str = self.cleaned_data["url"]
                downstream.check_url(url)
                return url

        return Checked

    def save_model(self, request: HttpRequest, obj: DownstreamSystem, form: Any, change: bool) -> None:
        actor, now = actors.user(request.user), timezone.now()
        values = {name: form.cleaned_data[name] for name in ("name", "url", "client", "wants_consents")}
        if change:
            downstream.change(system=obj, is_active=form.cleaned_data["is_active"], actor=actor, now=now, **values)
            return
        stored, secret = downstream.create(key=obj.key, actor=actor, now=now, **values)
        adopt(obj, stored)
        messages.warning(request, gettext("Secret, shown only now: %(secret)s") % {"secret": secret})

    def has_renew_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("compliance.change_downstreamsystem")

    @action(
        description=_("New secret"),
        permissions=["renew"],
        dialog={
            "title": _("Replace the secret"),
            "description": _("The present one stops working at once."),
            "form_class": None,
            "form_submit_text": _("Replace"),
        },
    )
    def renew_secret(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        system = DownstreamSystem.objects.get(pk=object_id)
        secret = downstream.renew_secret(system=system, actor=actors.user(request.user), now=timezone.now())
        url = reverse("admin:compliance_downstreamsystem_change", args=[object_id])
        return done(request, url, gettext("Secret, shown only now: %(secret)s") % {"secret": secret})


def _url(object_id: int) -> str:
    return reverse("admin:compliance_propagationtask_change", args=[object_id])


def _left(deadline: datetime, now: datetime) -> str:
    if now > deadline:
        return gettext("%(time)s late") % {"time": _hours(now - deadline)}
    return gettext("%(time)s left") % {"time": _hours(deadline - now)}


def _hours(span: timedelta) -> str:
    hours = int(span / timedelta(hours=1))
    if hours:
        return ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
    minutes = int(span / timedelta(minutes=1))
    return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
