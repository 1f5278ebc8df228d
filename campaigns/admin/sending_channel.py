from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from campaigns.models import SendingChannel
from compliance import addresses


class SendingChannelForm(forms.ModelForm):
    def clean_from_address(self) -> str:
        """In the form that SMTP carries: Django's check lets domains with letters beyond ASCII pass."""
        try:
            return addresses.normalise("email", self.cleaned_data["from_address"])
        except addresses.AddressError as error:
            raise ValidationError(str(error)) from error


@admin.register(SendingChannel)
class SendingChannelAdmin(ModelAdmin):
    form = SendingChannelForm
    list_display = ["name", "kind", "from_name", "from_address", "batch_size", "is_active"]
    prepopulated_fields = {"key": ["name"]}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["key"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, list[str]]:
        return {} if obj else self.prepopulated_fields
