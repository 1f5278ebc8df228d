"""What the rule builder asks the server for: its catalogue, suggestions, previews and, logged, names in full."""

import json
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from compliance import actors
from segments import masking
from segments.admin.builder_texts import texts
from segments.models import Profile
from segments.rules import RuleError
from segments.rules.catalogue import catalogue
from segments.rules.shares import Share
from segments.selectors import suggestions
from segments.selectors.limited import StoppedError
from segments.selectors.profiles import names
from segments.selectors.value_types import property_types
from segments.services import personal_data, previews

MAX_TERM = 80


class BuilderViews:
    """The views behind the builder, for a model admin. Only those who may write segments are answered."""

    def builder_urls(self) -> list[URLPattern]:
        """The URL patterns, to be put before those of the model admin."""
        views = {
            "catalogue": require_GET(self.catalogue),
            "suggestions": require_GET(self.suggestions),
            "preview": require_POST(self.preview),
            "names": require_POST(self.names),
        }
        wrap = self.admin_site.admin_view  # type: ignore[attr-defined]
        return [path(f"builder/{name}/", wrap(view), name=f"segments_segment_{name}") for name, view in views.items()]

    def catalogue(self, request: HttpRequest) -> JsonResponse:
        """Kinds, fields and operators of conditions, and the builder's words, in the active language."""
        self._require_writer(request)
        return JsonResponse(
            {
                **catalogue(),
                "declared": property_types(),
                "texts": texts(),
                "may_see_people": request.user.has_perm("segments.view_profile"),
                "may_see_names": _may_see_names(request),
            }
        )

    def suggestions(self, request: HttpRequest) -> JsonResponse:
        """Values for a field; nothing that fewer than five people share."""
        self._require_writer(request)
        given = {key: str(value)[:MAX_TERM].replace("\0", "") for key, value in request.GET.items()}
        wanted = suggestions.Wanted(given.pop("q", ""), given)
        try:
            found = suggestions.find(given.get("source", ""), wanted, user=request.user)
        except KeyError as error:
            raise Http404 from error
        except PermissionError:
            found = []
        return JsonResponse({"suggestions": [{"value": each.value, "label": each.label} for each in found]})

    def preview(self, request: HttpRequest) -> JsonResponse:
        """Count, sentence, sample and shares of an unsaved rule tree; a fault is answered with its place."""
        self._require_writer(request)
        form = f"{request.user.pk}/{request.POST.get('form', '')}"
        try:
            key = request.POST.get("key", "")
            found = previews.preview(definition=_definition(request), form=form, key=key, now=timezone.now())
        except RuleError as error:
            return JsonResponse({"error": {"path": error.path, "reason": error.reason}})
        return JsonResponse(
            {
                "sentence": found.sentence,
                "count": found.count,
                "count_text": "" if found.count is None else people_text(found.count),
                "sample": _people(found.sample) if request.user.has_perm("segments.view_profile") else [],
                "shares": None if found.shares is None else [share_as_json(share) for share in found.shares],
                "warnings": [warning.message for warning in found.warnings],
            }
        )

    def names(self, request: HttpRequest) -> JsonResponse:
        """The names of the sample in full; every person looked at gets an audit leaf."""
        self._require_writer(request)
        if not _may_see_names(request):
            raise PermissionDenied
        now = timezone.now()
        try:
            people = previews.sample(definition=_definition(request), now=now)
        except (RuleError, StoppedError):
            people = []
        found = personal_data.look_at_names(profile_ids=people, actor=actors.user(request.user), now=now)
        return JsonResponse({"names": found})

    def _require_writer(self, request: HttpRequest) -> None:
        pages: Any = self
        if not (pages.has_add_permission(request) or pages.has_change_permission(request)):
            raise PermissionDenied


def people_text(count: int) -> str:
    """Such as "1,204 people"."""
    return ngettext("%(count)s person", "%(count)s people", count) % {"count": number(count)}


def number(value: int) -> str:
    """A whole number as the active language groups it."""
    return number_format(value, use_l10n=True, force_grouping=True)


def share_as_json(share: Share) -> dict[str, Any]:
    """What a condition removes, or adds, in words and as a part of 1."""
    changed, whole = abs(share.without - share.matching), max(share.without, share.matching)
    part = changed / whole if whole else 0.0
    shown = {"share": number(round(100 * part)), "people": people_text(changed)}
    removes = share.without >= share.matching and not share.path.startswith("/any/")
    text = _("removes %(share)s%% (%(people)s)") if removes else _("adds %(share)s%% (%(people)s)")
    return {"path": share.path, "part": round(part, 4), "text": text % shown}


def _definition(request: HttpRequest) -> Any:
    try:
        return json.loads(request.POST.get("definition", ""))
    except ValueError as error:
        raise RuleError("", _("is not valid JSON")) from error


def _people(ids: list[int]) -> list[dict[str, Any]]:
    """People for the sample, names masked."""
    readable = names(ids)
    cities = dict(Profile.objects.filter(pk__in=ids).values_list("pk", "city"))
    return [
        {
            "id": person,
            "name": masking.mask_name(readable.get(person, "")),
            "city": cities.get(person, ""),
            "url": reverse("admin:segments_profile_change", args=[person]),
        }
        for person in ids
    ]


def _may_see_names(request: HttpRequest) -> bool:
    return request.user.has_perms(["segments.view_profile", "segments.view_personal_data"])
