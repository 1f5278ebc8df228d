"""The page from which auditors download an export of a range of days."""

import io
import tempfile
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from django import forms
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminDateWidget

from compliance import actors
from compliance.services.exports import ExportError

EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time in every archive, so that equal exports are equal files


class ExportForm(forms.Form):
    start = forms.DateField(label=gettext_lazy("Recorded from"), required=False, widget=UnfoldAdminDateWidget)
    end = forms.DateField(label=gettext_lazy("Recorded until, included"), required=False, widget=UnfoldAdminDateWidget)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("start") and values.get("end") and values["start"] > values["end"]:
            self.add_error("end", _("The end lies before the start."))
        return values


def export_page(
    request: HttpRequest, pages: ModelAdmin, *, name: str, text: str, write: Callable[..., object]
) -> HttpResponse:
    """Ask for the range and answer with `name`.zip; `write` is the service, `text` says what it gives.

    The archive is byte-identical when repeated for the same range, as far as the service is.
    """
    form = ExportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        start, end = form.cleaned_data["start"], form.cleaned_data["end"]
        try:
            return _archive(request, name, write, _midnight(start), _midnight(end and end + timedelta(days=1)))
        except ExportError as error:
            form.add_error(None, str(error))
    context = {**pages.admin_site.each_context(request), "form": form, "opts": pages.opts, "title": _("Export")}
    return render(request, "compliance/admin/export.html", {**context, "text": text})


def _midnight(day: date | None) -> datetime | None:
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None


def _archive(
    request: HttpRequest, name: str, write: Callable[..., object], start: datetime | None, end: datetime | None
) -> HttpResponse:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / name
        write(out=out, start=start, end=end, actor=actors.user(request.user), now=timezone.now())
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(out.iterdir()):
                entry = zipfile.ZipInfo(file.name, EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return HttpResponse(buffer.getvalue(), content_type="application/zip", headers=headers)
