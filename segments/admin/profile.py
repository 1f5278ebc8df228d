from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from compliance import actors
from compliance.admin.base import ReadOnlyAdmin, ReadOnlyInline, done
from compliance.models import ConsentState
from segments import masking
from segments.admin.merge import NoteForm
from segments.admin.profile_segments import SegmentsOfProfile
from segments.models import (
    Event,
    Identity,
    IdentityKind,
    MergeCause,
    Profile,
    ProfileStats,
    ProfileTag,
    Source,
    Tag,
    TagExclusion,
    TagKind,
)  # fmt: skip
from segments.models.profile_tag import MAX_WEIGHT
from segments.profile_input import InputError
from segments.selectors.merges import merges_of
from segments.selectors.profiles import find_by_identifier, names_and_addresses
from segments.selectors.tag_evidence import evidence
from segments.services import merging, personal_data
from segments.services.merging import MergeError
from segments.services.tags import assignment

TIMELINE = 50


class MergeForm(NoteForm):
    absorb = forms.UUIDField(
        label=_("Public id of the other profile"), widget=UnfoldAdminTextInputWidget,
        help_text=_("It stands on the page of the profile, which is found by a whole address."),
    )  # fmt: skip

    field_order = ["absorb", "note"]

    def clean_absorb(self) -> int:
        found = Profile.objects.filter(subject__uid=self.cleaned_data["absorb"]).values_list("pk", flat=True).first()
        if found is None:
            raise ValidationError(_("There is no such person."))
        return found


class StatsInline(ReadOnlyInline):
    model = ProfileStats
    verbose_name_plural = _("statistics")
    fields = [
        "event_count", "last_event_at", "order_count", "order_amount", "last_order_at", "rfm_recency", "rfm_frequency",
        "rfm_monetary",
    ]  # fmt: skip


class IdentityInline(ReadOnlyInline):
    model = Identity
    fields = readonly_fields = ["kind", "is_primary", "created_at"]


class TagInline(ReadOnlyInline):
    """What the person carries now, and why."""

    model = ProfileTag
    fk_name = "profile"
    fields = readonly_fields = ["tag", "weight_now", "confidence", "why", "source", "assigned_at", "expires_at"]

    def get_queryset(self, request: HttpRequest) -> Any:
        now = timezone.now()
        carried = ProfileTag.objects.carried(now).weighed(now).select_related("tag__parent")
        return carried.order_by("tag__path", "tag__key")

    @display(description=_("weight now"))
    def weight_now(self, obj: Any) -> str:
        return f"{obj.effective_weight:.3g}"

    @display(description=_("why"))
    def why(self, obj: ProfileTag) -> str:
        return render_to_string("segments/admin/evidence.html", {"evidence": evidence(obj, timezone.now())})


class ExclusionInline(ReadOnlyInline):
    """What was removed from the person for good; each can be let in again on its own page."""

    model = TagExclusion
    fields = readonly_fields = ["tag", "reason", "excluded_at", "excluded_by"]
    show_change_link = True


class GiveForm(BaseDialogForm):
    """A tag for the person, by decision."""

    tag = forms.ModelChoiceField(
        label=_("tag"), queryset=Tag.objects.exclude(kind=TagKind.GROUP).order_by("path"),
        widget=UnfoldAdminSelectWidget,
    )  # fmt: skip
    weight = forms.FloatField(
        label=_("weight"), min_value=0, max_value=MAX_WEIGHT, required=False, widget=UnfoldAdminDecimalFieldWidget
    )


class TakeForm(BaseDialogForm):
    """Which of the person's tags goes, and why."""

    tag = forms.ModelChoiceField(label=_("tag"), queryset=Tag.objects.none(), widget=UnfoldAdminSelectWidget)
    reason = forms.CharField(
        label=_("reason"), max_length=200, required=False, widget=UnfoldAdminTextInputWidget
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        carried = ProfileTag.objects.filter(profile=self.object_id).values("tag")
        self.fields["tag"].queryset = Tag.objects.filter(pk__in=carried)


@admin.register(Profile)
class ProfileAdmin(SegmentsOfProfile, ReadOnlyAdmin):
    """People, masked; each look at a name or address in full is logged."""

    list_display = ["pk", "masked_name", "masked_email", "city", "country", "orders", "rfm", "created_at"]
    list_filter = ["country", "gender"]
    list_select_related = ["stats", "subject"]
    search_fields = ["pk"]
    search_help_text = _("Whole e-mail address, phone number, device id or customer number")
    show_full_result_count = False
    ordering = ["-pk"]
    fields = [
        "public_id", "masked_name", "masked_email", "gender", "birth_date", "language", "country", "region", "city",
        "timezone", "attributes", "created_at", "updated_at", "merged_into", "merges", "consents", "in_segments",
        "segment_history", "timeline",
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [StatsInline, IdentityInline, TagInline, ExclusionInline]
    actions_detail = ["personal_data", "give_tag", "remove_tag", "merge"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """The list shows people; a profile that was merged into another is found on the page of the merge."""
        profiles = super().get_queryset(request)
        match = request.resolver_match
        listed = match is not None and (match.url_name or "").endswith("_changelist")
        return profiles.living() if listed else profiles

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changelist = super().get_changelist_instance(request)
        _add_contacts(changelist.result_list)
        return changelist

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Profile | None:
        profile: Profile | None = super().get_object(request, object_id, from_field)
        if profile is not None:
            _add_contacts([profile])
        return profile

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """People are found by a whole identifier: nothing else about it can be searched."""
        if not search_term:
            return queryset, False
        return queryset.filter(pk__in=_found(search_term)), False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("segments.view_profile")

    @display(description=_("public id"))
    def public_id(self, obj: Profile) -> str:
        return str(obj.subject.uid)

    @display(description=_("name"))
    def masked_name(self, obj: Profile) -> str:
        return masking.mask_name(obj.contact.name) if obj.contact else ""  # type: ignore[attr-defined]

    @display(description=_("e-mail"))
    def masked_email(self, obj: Profile) -> str:
        return masking.mask_address("email", obj.contact.address) if obj.contact else ""  # type: ignore[attr-defined]

    @display(description=_("orders"), ordering="stats__order_count")
    def orders(self, obj: Profile) -> int:
        return obj.stats.order_count

    @display(description=_("RFM"))
    def rfm(self, obj: Profile) -> str:
        stats = obj.stats
        return f"{stats.rfm_recency} {stats.rfm_frequency} {stats.rfm_monetary}" if stats.rfm_at else ""

    @display(description=_("consents"))
    def consents(self, obj: Profile) -> str:
        states = ConsentState.objects.filter(subject=obj.pk).select_related("purpose").order_by("purpose", "channel")
        return render_to_string("segments/admin/consents.html", {"states": states})

    @display(description=_("merges"))
    def merges(self, obj: Profile) -> str:
        return render_to_string("segments/admin/merges.html", {"merges": merges_of(obj)})

    @display(description=_("last events"))
    def timeline(self, obj: Profile) -> str:
        events = Event.objects.filter(profile=obj).select_related("source").order_by("-occurred_at")[:TIMELINE]
        return render_to_string("segments/admin/timeline.html", {"events": events})

    def has_tag_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("segments.change_profiletag")

    @action(
        description=_("Give a tag"),
        permissions=["tag"],
        dialog={
            "title": _("Give a tag by hand"),
            "description": _("Computations leave it alone; in an exclusive group it replaces the other tag."),
            "form_class": GiveForm,
            "form_submit_text": _("Give"),
        },
    )
    def give_tag(self, request: HttpRequest, form: GiveForm, object_id: int) -> HttpResponse:
        given = assignment.Given(int(object_id), weight=form.cleaned_data["weight"])
        url = reverse("admin:segments_profile_change", args=[object_id])
        try:
            assignment.assign(
                tag=form.cleaned_data["tag"], given=given, actor=actors.user(request.user), now=timezone.now()
            )
        except ValidationError as error:
            return done(request, url, "; ".join(error.messages), error=True)
        return done(request, url, gettext("The tag is given."))

    @action(
        description=_("Remove a tag"),
        permissions=["tag"],
        dialog={
            "title": _("Remove a tag from this person"),
            "description": _("Unless the tag is only given by hand, it stays removed: nothing computes it again."),
            "form_class": TakeForm,
            "form_submit_text": _("Remove"),
        },
    )
    def remove_tag(self, request: HttpRequest, form: TakeForm, object_id: int) -> HttpResponse:
        assignment.remove(
            tag=form.cleaned_data["tag"], profile_id=int(object_id), reason=form.cleaned_data["reason"],
            actor=actors.user(request.user), now=timezone.now(),
        )  # fmt: skip
        url = reverse("admin:segments_profile_change", args=[object_id])
        return done(request, url, gettext("The tag is removed."))

    def has_merge_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("segments.merge_profiles")

    @action(
        description=_("Merge with another profile"),
        permissions=["merge"],
        dialog={
            "title": _("Take in another profile of this person"),
            "description": _(
                "This profile keeps what it knows; the other fills gaps and gives its identifiers, events and tags. Of "
                "the consents, the most restrictive count. The merge can be undone."
            ),
            "form_class": MergeForm,
            "form_submit_text": _("Merge"),
        },
    )
    def merge(self, request: HttpRequest, form: MergeForm, object_id: int) -> HttpResponse:
        url = reverse("admin:segments_profile_change", args=[object_id])
        try:
            merging.merge(
                survivor_id=int(object_id), absorbed_id=form.cleaned_data["absorb"], cause=MergeCause.STAFF,
                actor=actors.user(request.user), now=timezone.now(), note=form.cleaned_data["note"],
            )  # fmt: skip
        except MergeError as error:
            return done(request, url, str(error), error=True)
        return done(request, url, gettext("The profiles are merged."))

    def has_look_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("segments.view_personal_data")

    @action(description=_("Show name and addresses"), permissions=["look"], url_path="personal-data")
    def personal_data(self, request: HttpRequest, object_id: int) -> HttpResponse:
        profile = get_object_or_404(Profile.objects.select_related("subject"), pk=object_id)
        if not self.has_view_permission(request, profile):
            raise PermissionDenied
        found = personal_data.look(profile=profile, actor=actors.user(request.user), now=timezone.now())
        labels = dict(IdentityKind.choices)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Name and addresses"),
            "opts": self.opts,
            "profile": profile,
            "name": found.name,
            "identifiers": [(labels[item.kind], item.value, item.is_primary) for item in found.identifiers],
        }
        return render(request, "segments/admin/personal_data.html", context)


def _add_contacts(profiles: Any) -> None:
    contacts = names_and_addresses([profile.pk for profile in profiles], IdentityKind.EMAIL)
    for profile in profiles:
        profile.contact = contacts.get(profile.pk)


def _found(term: str) -> set[int]:
    found = set()
    places: list[tuple[str, Source | None]] = [(field, None) for field in ("email", "phone", "wechat", "device")]
    places += [("external_id", source) for source in Source.objects.all()]
    for field, source in places:
        try:
            profile = find_by_identifier(field, term, source)
        except InputError:
            continue
        if profile:
            found.add(profile.pk)
    return found
