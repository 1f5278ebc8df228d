from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from campaigns.admin.sending_channel_form import ANSWERS, CALLS, SHOWN_WHEN, SendingChannelForm, TryOutForm
from campaigns.channels import ChannelError
from campaigns.models import SendingChannel
from campaigns.services import sending_channels
from compliance import actors
from compliance.admin.base import done

HEALTH_COLOURS = {"works": "success", "fails": "danger", "unused": "info"}


@admin.register(SendingChannel)
class SendingChannelAdmin(ModelAdmin):
    """The ways out. A credential goes in and is never shown again."""

    form = SendingChannelForm
    list_display = ["name", "kind", "adapter", "from_name", "from_address", "batch_size", "is_active", "health"]
    list_filter = ["kind", "adapter", "is_active"]
    prepopulated_fields = {"key": ["name"]}
    conditional_fields = SHOWN_WHEN
    fieldsets = [
        (None, {"fields": ["key", "name", "kind", "adapter", "from_name", "from_address", "credential"]}),
        (_("Messages"), {"fields": ["max_length", "optout_text", "days", "batch_size", "is_active"]}),
        (_("Calls"), {"fields": CALLS}),
        (_("Answers"), {"fields": ANSWERS}),
        (_("Health"), {"fields": ["last_success_at", "last_error_at", "last_error"]}),
    ]
    actions_detail = ["try_out"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        health = ["last_success_at", "last_error_at", "last_error"]
        return ["key", *health] if obj else health

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, list[str]]:
        return {} if obj else self.prepopulated_fields

    def save_model(self, request: HttpRequest, obj: SendingChannel, form: Any, change: bool) -> None:
        credential = form.cleaned_data["credential"]
        actor = actors.user(request.user)
        sending_channels.save(channel=obj, credential=credential, actor=actor, now=timezone.now())

    @display(description=_("health"), label=HEALTH_COLOURS)
    def health(self, obj: SendingChannel) -> tuple[str, str]:
        if obj.last_error_at and (obj.last_success_at is None or obj.last_error_at >= obj.last_success_at):
            return "fails", obj.last_error
        return ("works", gettext("works")) if obj.last_success_at else ("unused", gettext("not used yet"))

    def has_try_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("campaigns.change_sendingchannel")

    @action(
        description=_("Test send"),
        permissions=["try"],
        dialog={
            "title": _("Send a test message"),
            "description": _("It goes out at once, whatever consents say, and is noted in the audit log."),
            "form_class": TryOutForm,
            "form_submit_text": _("Send"),
        },
    )
    def try_out(self, request: HttpRequest, form: BaseDialogForm, object_id: int) -> HttpResponse:
        url = reverse("admin:campaigns_sendingchannel_change", args=[object_id])
        channel, actor = SendingChannel.objects.get(pk=object_id), actors.user(request.user)
        try:
            sending_channels.try_out(
                channel=channel, address=form.cleaned_data["address"], actor=actor, now=timezone.now()
            )
        except (ChannelError, sending_channels.AddressNeededError) as error:
            return done(request, url, gettext("Not sent: %(error)s") % {"error": error}, error=True)
        return done(request, url, gettext("The channel took the test message."))
