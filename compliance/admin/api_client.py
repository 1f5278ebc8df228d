from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from compliance import actors
from compliance.admin.base import adopt
from compliance.models import ApiClient
from compliance.services import api_clients

admin.site.unregister(ApiClient)  # the page of django-oauth-toolkit offers grants that Heed does not


class ApiClientForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        label=_("scopes"), choices=list(settings.OAUTH2_SCOPES.items()), widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = ApiClient
        fields = ["name", "scopes"]


@admin.register(ApiClient)
class ApiClientAdmin(ModelAdmin):
    """Partner systems. The secret is shown once, when the client is made."""

    form = ApiClientForm
    list_display = ["name", "client_id", "scopes", "created"]
    search_fields = ["name", "client_id"]
    fields = ["name", "scopes"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["name", "client_id", "scopes", "created"] if obj else ["name", "scopes"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return self.get_fields(request, obj) if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ApiClient, form: Any, change: bool) -> None:
        stored, secret = api_clients.create(
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            actor=actors.user(request.user),
            now=timezone.now(),
        )
        adopt(obj, stored)
        text = gettext("Client id: %(id)s. Secret, shown only now: %(secret)s")
        messages.warning(request, text % {"id": stored.client_id, "secret": secret})

    def delete_model(self, request: HttpRequest, obj: ApiClient) -> None:
        api_clients.remove(client=obj, actor=actors.user(request.user), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for client in queryset:
            self.delete_model(request, client)
