"""What the admin pages of all apps share."""

from typing import Any

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from unfold.admin import ModelAdmin, TabularInline


class ReadOnlyMixin:
    """Look, and nothing else: for ledgers and for what only services write."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnlyMixin, ModelAdmin):
    """Pages of a model that nobody edits by hand."""

    actions = None


class ReadOnlyInline(ReadOnlyMixin, TabularInline):
    """Rows of such a model on the page of another."""

    extra = 0
    can_delete = False
    show_change_link = False


def done(request: HttpRequest, url: str, message: str, *, error: bool = False) -> HttpResponse:
    """Say what happened and go to `url`, from a dialog (htmx) or from a plain form."""
    messages.add_message(request, messages.ERROR if error else messages.SUCCESS, message)
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": url})
    return HttpResponseRedirect(url)


def progress_bar(done_count: int, total: int) -> str:
    """A bar that also says its share in figures."""
    share = 100 * done_count // total if total else 100
    return format_html(
        '<div class="flex items-center gap-2"><div class="w-24 h-2 rounded-default bg-base-200 dark:bg-base-800">'
        '<div class="h-2 rounded-default bg-primary-600" style="width: {}%"></div></div> {} %</div>',
        share,
        share,
    )


def adopt(target: Model, stored: Model) -> None:
    """Let the form's object stand for the row that a service stored in its place."""
    target.pk = stored.pk
    target._state.adding = False
    target.refresh_from_db()
