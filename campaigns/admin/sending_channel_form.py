"""The form of a sending channel: what each way out is told becomes the model's `config`."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from campaigns.adapters import Adapter
from campaigns.channels.gateway import GatewayConfig
from campaigns.channels.inbox import InboxAdapter
from campaigns.channels.webhook import WebhookConfig
from campaigns.models import SendingChannel
from campaigns.services import sending_channels
from compliance import addresses

CONFIG: Mapping[str, list[str]] = {
    Adapter.GATEWAY: [field.name for field in fields(GatewayConfig)],
    Adapter.WEBHOOK: [field.name for field in fields(WebhookConfig)],
    Adapter.INBOX: ["days"],
}
CALLS = [
    "url", "per_call", "timeout", "auth_header", "auth_scheme", "recipient_field", "text_field", "key_field",
    "sender_field", "messages_field",
]  # fmt: skip
ANSWERS = [
    "success_statuses", "retryable_statuses", "unknown_statuses", "down_statuses", "code_field", "success_codes",
    "retryable_codes", "results_field", "result_key_field", "result_code_field",
]  # fmt: skip
SHOWN_WHEN = {
    name: " || ".join(f"adapter == '{adapter}'" for adapter, names in CONFIG.items() if name in names)
    for name in ["days", *CALLS, *ANSWERS]
} | {
    "credential": "adapter == 'gateway' || adapter == 'webhook'",
    "from_address": "kind == 'email'",
    "optout_text": "kind == 'sms'",
}


def _text(label: Any, default: str = "", help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label, required=False, initial=default, help_text=help_text, max_length=200,
        widget=UnfoldAdminTextInputWidget,
    )  # fmt: skip


def _number(label: Any, default: int, most: int, help_text: Any = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label, required=False, initial=default, help_text=help_text, min_value=1, max_value=most,
        widget=UnfoldAdminIntegerFieldWidget,
    )  # fmt: skip


class SendingChannelForm(forms.ModelForm):
    credential = forms.CharField(
        label=_("Credential"), required=False, max_length=2000, strip=True,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text=_("Key of the gateway, or whsec_ secret of the webhook. Never shown; empty keeps the present one."),
    )  # fmt: skip
    days = _number(_("Shown for"), InboxAdapter.DAYS, 3650, _("days"))
    url = _text(_("Address to post to"))
    per_call = _number(_("Messages in a call"), 1, 1000)
    timeout = _number(_("Seconds to wait"), 20, 60, _("for an answer; without one the message is unknown"))
    auth_header = _text(_("Header of the credential"), "Authorization")
    auth_scheme = _text(_("Word before the credential"), "Bearer")
    recipient_field = _text(_("Field of the recipient"), "to", _("A path with dots where fields are nested."))
    text_field = _text(_("Field of the text"), "text")
    key_field = _text(_("Field of our message key"), "id", _("With it the gateway can tell a repetition."))
    sender_field = _text(_("Field of the sender name"), "from")
    messages_field = _text(_("Field of the list of messages"), "messages", _("Used with several messages in a call."))
    success_statuses = _text(_("Statuses of success"), "", _("empty for every 2xx"))
    retryable_statuses = _text(_("Statuses to try again"), "", _("empty for 408, 425, 429; 5xx are in any case"))
    unknown_statuses = _text(_("Statuses that leave it open"), "", _("empty for 502, 504"))
    down_statuses = _text(_("Statuses of a channel that is down"), "", _("empty for 401, 403, 404, 405, 407, 410"))
    code_field = _text(_("Field of the code of the call"))
    success_codes = _text(_("Codes of success"), "", _("with commas between"))
    retryable_codes = _text(_("Codes to try again"), "", _("any other code is a refusal"))
    results_field = _text(_("Field of the list of results"), "", _("one for each message"))
    result_key_field = _text(_("Field of our key in a result"), "", _("empty when they come in our order"))
    result_code_field = _text(_("Field of the code in a result"))

    class Meta:
        model = SendingChannel
        fields = [
            "key", "name", "kind", "adapter", "from_name", "from_address", "max_length", "optout_text", "batch_size",
            "is_active",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, value in (self.instance.config if self.instance.pk else {}).items():
            if name in self.fields:
                self.fields[name].initial = value

    def clean_from_address(self) -> str:
        """In the form that SMTP carries: Django's check lets domains with letters beyond ASCII pass."""
        given: str = self.cleaned_data["from_address"]
        if not given:
            return ""
        try:
            return addresses.normalise("email", given)
        except addresses.AddressError as error:
            raise ValidationError(str(error)) from error

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        if url:
            URLValidator(schemes=["http", "https"])(url)
        return url

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        adapter = values.get("adapter", "")
        config = {}
        for name in CONFIG.get(adapter, ()):
            given = values.get(name)
            # An emptied number is the usual one; an emptied text says that there is no such field.
            config[name] = self.fields[name].initial if given is None else given
        channel = SendingChannel(
            kind=values.get("kind", ""), adapter=adapter, from_address=values.get("from_address") or "", config=config,
            optout_text=values.get("optout_text") or "", credential_encrypted=self._kept(adapter),
        )  # fmt: skip
        for field, problem in sending_channels.problems(channel, credential=values.get("credential", "")).items():
            if field not in self.errors:
                self.add_error(field, problem)
        self.instance.config = config
        return values

    def _kept(self, adapter: str) -> Any:
        """The stored credential is that of the adapter it was given for."""
        stored = type(self.instance).objects.filter(pk=self.instance.pk, adapter=adapter).first()
        return stored.credential_encrypted if stored else None


class TryOutForm(BaseDialogForm):
    address = forms.CharField(
        label=_("Address"), max_length=254, widget=UnfoldAdminTextInputWidget,
        help_text=_("Mail address or phone number; for in-app messages and webhooks the public id of a person."),
    )  # fmt: skip
