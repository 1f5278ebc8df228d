"""What changed between two versions of a segment's rule, and giving an earlier one back."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from compliance import actors
from compliance.admin.base import ReadOnlyInline, done
from segments.models import Segment, SegmentKind, SegmentVersion
from segments.rules import RuleError
from segments.rules.difference import differences, in_words
from segments.services import segments


class VersionInline(ReadOnlyInline):
    model = SegmentVersion
    fields = ["version", "sentence", "created_at", "created_by"]
    readonly_fields = ["sentence"]

    @display(description=_("in words"))
    def sentence(self, obj: SegmentVersion) -> str:
        return in_words(obj.definition)


class VersionViews:
    """The page of the versions, for a model admin of segments."""

    def has_versions_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        ruled = Segment.objects.filter(pk=object_id).exclude(kind=SegmentKind.UPLOADED)
        return request.user.has_perm("segments.view_segment") and (object_id is None or ruled.exists())

    @action(description=_("Compare versions"), permissions=["versions"], url_path="versions")
    def compare_versions(self, request: HttpRequest, object_id: int) -> HttpResponse:
        if not self.has_versions_permission(request, object_id):
            raise PermissionDenied
        segment = get_object_or_404(Segment, pk=object_id)
        if request.method == "POST":
            return _restore(request, segment)
        versions = list(segment.versions.select_related("created_by").order_by("-version"))
        newer = _chosen(request, "new", versions, 0)
        older = _chosen(request, "old", versions, min(1, len(versions) - 1))
        pages: Any = self
        context = {
            **pages.admin_site.each_context(request),
            "opts": pages.opts,
            "title": segment.name,
            "segment": segment,
            "versions": versions,
            "sides": [(version, in_words(version.definition)) for version in (older, newer)],
            "older": older,
            "newer": newer,
            "changes": differences(older.definition, newer.definition),
            "may_restore": request.user.has_perm("segments.restore_segment"),
        }
        return render(request, "segments/admin/segment_versions.html", context)


def _chosen(request: HttpRequest, name: str, versions: list[SegmentVersion], place: int) -> SegmentVersion:
    wanted = request.GET.get(name, "")
    return next((version for version in versions if str(version.version) == wanted), versions[place])


def _restore(request: HttpRequest, segment: Segment) -> HttpResponse:
    if not request.user.has_perm("segments.restore_segment"):
        raise PermissionDenied
    wanted = get_object_or_404(SegmentVersion, pk=request.POST.get("restore", "") or 0, segment=segment)
    url = reverse("admin:segments_segment_change", args=[segment.pk])
    user = request.user if request.user.is_authenticated else None
    try:
        restored = segments.restore(
            segment=segment, version=wanted.version, actor=actors.user(request.user), now=timezone.now(), user=user
        )
    except RuleError as error:
        return done(request, url, str(error), error=True)
    text = gettext("Version %(old)s is back, as version %(new)s.")
    return done(request, url, text % {"old": wanted.version, "new": restored.version})
