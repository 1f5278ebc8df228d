from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from compliance import actors
from compliance.admin.base import adopt
from compliance.models import Notice, Purpose
from compliance.services import notices


@admin.register(Purpose)
class PurposeAdmin(ModelAdmin):
    list_display = ["name", "key", "is_active"]
    search_fields = ["name", "key"]
    prepopulated_fields = {"key": ["name"]}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["key"] if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, list[str]]:
        return {} if obj else self.prepopulated_fields

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Notice)
class NoticeAdmin(ModelAdmin):
    """A notice is published once and never changed; other words are another version."""

    list_display = ["purpose", "version", "language", "published_at", "text_sha256"]
    list_filter = ["purpose", "language"]
    fields = ["purpose", "version", "language", "text"]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*self.fields, "text_sha256", "published_at"] if obj else list(self.fields)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Notice, form: Any, change: bool) -> None:
        stored = notices.publish(
            purpose=obj.purpose,
            version=obj.version,
            language=obj.language,
            text=obj.text,
            actor=actors.user(request.user),
            now=timezone.now(),
        )
        adopt(obj, stored)

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        if "text" in form.base_fields:
            form.base_fields["text"].help_text = _(
                "The exact words that people are shown. They cannot be changed later."
            )
        return form
