"""Uploading lists of people for a segment, and what became of them."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from compliance import actors
from compliance.admin.base import ReadOnlyInline, done, progress_bar
from segments.models import Segment, SegmentKind, SegmentUpload, Source, UploadMode
from segments.services import segment_uploads

IDENTIFIERS = [
    ("external_id", _("Customer number of the source")),
    ("email", _("E-mail address")),
    ("phone", _("Phone number")),
    ("wechat", _("WeChat openid")),
    ("device", _("Device id")),
    ("uid", _("Public id of the profile")),
]
PASTED = "list.csv"


class UploadForm(forms.Form):
    mode = forms.ChoiceField(label=_("Mode"), choices=UploadMode.choices, widget=UnfoldAdminSelectWidget)
    identifier = forms.ChoiceField(
        label=_("People are named by"), choices=IDENTIFIERS, widget=UnfoldAdminSelectWidget
    )  # fmt: skip
    source = forms.ModelChoiceField(
        label=_("Source of the list"), queryset=Source.objects.order_by("key"), widget=UnfoldAdminSelectWidget,
        help_text=_("A customer number counts within its source."),
    )  # fmt: skip
    file = forms.FileField(
        label=_("File"), required=False, widget=UnfoldAdminFileFieldWidget,
        help_text=_("CSV, XLSX or Parquet, with a header."),
    )  # fmt: skip
    column = forms.CharField(
        label=_("Column"), required=False, max_length=240, widget=UnfoldAdminTextInputWidget,
        help_text=_("Which column of the file names the people; not needed when there is only one."),
    )  # fmt: skip
    pasted = forms.CharField(
        label=_("Or paste the list"), required=False, strip=True, widget=UnfoldAdminTextareaWidget(attrs={"rows": 6}),
        help_text=_("One identifier in each line, without a header."),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if bool(given.get("file")) == bool(given.get("pasted")) and "file" not in self.errors:
            self.add_error("file", gettext("Choose a file or paste a list."))
        return given

    def content(self) -> tuple[bytes, str, str]:
        """The list as a file, its name, and the column."""
        file = self.cleaned_data["file"]
        if file:
            return file.read(), file.name, self.cleaned_data["column"]
        lines = [line.strip().replace('"', '""') for line in self.cleaned_data["pasted"].splitlines()]
        text = "\n".join(["identifier", *(f'"{line}"' for line in lines if line)])
        return text.encode(), PASTED, ""


class UploadInline(ReadOnlyInline):
    """The lists that came, with progress and outcome; rejected rows are on their own page."""

    model = SegmentUpload
    fields = readonly_fields = [
        "file_name", "mode", "status", "progress", "found", "duplicates", "refused", "entered", "left", "uploaded_by",
        "uploaded_at",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("job").order_by("-job")

    @display(description=_("file"))
    def file_name(self, obj: SegmentUpload) -> str:
        url = reverse("admin:segments_importjob_change", args=[obj.pk])
        return format_html('<a class="underline" href="{}">{}</a>', url, obj.job.file_name)

    @display(description=_("state"))
    def status(self, obj: SegmentUpload) -> str:
        return obj.job.get_state_display()

    @display(description=_("progress"))
    def progress(self, obj: SegmentUpload) -> str:
        return progress_bar(obj.job.rows_done, obj.job.rows_total)

    @display(description=_("found"))
    def found(self, obj: SegmentUpload) -> int:
        return obj.job.accepted

    @display(description=_("named twice"))
    def duplicates(self, obj: SegmentUpload) -> int:
        return obj.job.duplicates

    @display(description=_("rejected"))
    def refused(self, obj: SegmentUpload) -> Any:
        url = f"{reverse('admin:segments_rejectedrow_changelist')}?job__id__exact={obj.pk}"
        link = '<a class="underline" href="{}">{}</a>'
        return format_html(link, url, obj.job.rejected) if obj.job.rejected else 0

    @display(description=_("uploaded at"))
    def uploaded_at(self, obj: SegmentUpload) -> str:
        return date_format(timezone.localtime(obj.job.started_at), "DATETIME_FORMAT")


class UploadViews:
    """The page from which members are uploaded, for a model admin of segments."""

    def has_upload_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        lists = Segment.objects.filter(pk=object_id, kind=SegmentKind.UPLOADED)
        return request.user.has_perm("segments.upload_segment") and (object_id is None or lists.exists())

    @action(description=_("Upload members"), permissions=["upload"], url_path="upload")
    def upload_members(self, request: HttpRequest, object_id: int) -> HttpResponse:
        if not self.has_upload_permission(request, object_id):
            raise PermissionDenied
        segment = get_object_or_404(Segment, pk=object_id)
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid() and _received(request, segment, form):
            text = gettext("The list is read within seconds. What became of it stands below.")
            return done(request, reverse("admin:segments_segment_change", args=[object_id]), text)
        pages: Any = self
        context = {**pages.admin_site.each_context(request), "form": form, "opts": pages.opts, "segment": segment}
        return render(request, "segments/admin/segment_upload.html", {**context, "title": segment.name})


def _received(request: HttpRequest, segment: Segment, form: UploadForm) -> bool:
    content, file_name, column = form.content()
    try:
        segment_uploads.receive(
            segment=segment, content=content, file_name=file_name, identifier=form.cleaned_data["identifier"],
            column=column, mode=form.cleaned_data["mode"], source=form.cleaned_data["source"],
            actor=actors.user(request.user), now=timezone.now(),
        )  # fmt: skip
    except ValidationError as error:
        for name, reasons in error.message_dict.items():
            form.add_error(name if name in form.fields else None, reasons)
        return False
    return True
