import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from compliance import actors
from compliance.admin.base import adopt, done
from segments.admin.tag_inlines import BoostInline, GainInline, ParameterInline
from segments.models import Rhythm, Tag, TagBoost, TagKind
from segments.selectors import tags as selectors
from segments.services.tags import assignment, boosts, definitions

COMMON = ["key", "name", "kind", "layer", "parent", "position", "description", "is_active"]
ADVICE = ["advice_content", "advice_per_week", "advice_channel"]
GIVEN = ["given_weight", "given_confidence", "expires_after_days"]
RHYTHM = ["rhythm", "crontab"]
STATE = ["status", "people_share", "computed_at", "due_at", "error"]
KIND_FIELDS: Mapping[str, list[str]] = {
    TagKind.GROUP: ["is_exclusive", *RHYTHM, "expires_after_days"],
    TagKind.MANUAL: GIVEN,
    TagKind.RULE: ["rule", *GIVEN, *RHYTHM],
    TagKind.AGGREGATE: [
        "event_name", "measure", "output", "minimum", "window_days", "given_confidence", "expires_after_days", *RHYTHM,
    ],
    TagKind.INTEREST: ["half_life_days", "floor", "given_confidence", *RHYTHM],
    TagKind.IMPORT: GIVEN,
    TagKind.MODEL: GIVEN,
    TagKind.CATEGORY: [],
}  # fmt: skip
"""What a definition of each kind has to say, in the order of the form."""
ALL_KIND_FIELDS = list(dict.fromkeys(name for names in KIND_FIELDS.values() for name in names))
STATE_COLOURS = {"failed": "danger", "running": "info", "waiting": "warning", "computed": "success"}
EXAMPLE = {"stat": "last_order_at", "op": "gte", "value": {"days_ago": 30}}


def _shown_for(name: str) -> str:
    """When a field shows, for the form's script. Pages that only show have none, and show all."""
    kinds = [str(kind) for kind, names in KIND_FIELDS.items() if name in names]
    if name == "crontab":
        return "typeof rhythm === 'undefined' || rhythm == 'crontab'"
    return f"typeof kind === 'undefined' || {json.dumps(kinds).replace(chr(34), chr(39))}.includes(kind)"


class PrettyJSON(json.JSONEncoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "indent": 2, "ensure_ascii": False})


class TagForm(forms.ModelForm):
    rule = forms.JSONField(
        label=_("rule tree"),
        required=False,
        encoder=PrettyJSON,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 12, "spellcheck": "false", "class": "font-mono"}),
        help_text=_('As in segments; {"parameter": "name"} stands for a parameter of the tag or of its group.'),
    )

    class Meta:
        model = Tag
        fields = [*COMMON, *ALL_KIND_FIELDS, *ADVICE]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "kind" not in self.fields:
            return
        if self.instance.pk:
            self.fields["kind"].disabled = True
        else:
            chosen = [choice for choice in TagKind.choices if choice[0] != TagKind.CATEGORY]
            self.fields["kind"].choices = chosen  # type: ignore[attr-defined]
        parents = Tag.objects.exclude(kind__in=[TagKind.CATEGORY, TagKind.AGGREGATE, TagKind.INTEREST])
        if "parent" in self.fields and self.instance.kind != TagKind.CATEGORY:
            self.fields["parent"].queryset = parents.exclude(pk=self.instance.pk)  # type: ignore[attr-defined]

    def clean(self) -> Any:
        """Leave out what belongs to other kinds, and check the definition as a whole."""
        cleaned = super().clean() or self.cleaned_data
        mine = KIND_FIELDS.get(cleaned.get("kind", ""), [])
        for name in ALL_KIND_FIELDS:
            if name in self.fields and name not in mine:
                cleaned[name] = getattr(Tag(), name)
                self.errors.pop(name, None)
        if not self.errors:
            self._check_whole(cleaned)
        return cleaned

    def _check_whole(self, cleaned: Mapping[str, Any]) -> None:
        try:
            definitions.check(tag=self.instance if self.instance.pk else None, fields=cleaned)
        except ValidationError as error:
            for name, texts in error.message_dict.items():
                self.add_error(name if name in self.fields else None, texts)


@admin.register(Tag)
class TagAdmin(ModelAdmin):
    """The tree of tags; beat computes the definitions that are due."""

    form = TagForm
    list_display = ["tree_name", "key", "kind", "when", "people_share", "status", "computed_at", "due_at"]
    list_filter = ["layer", "kind", "rhythm", "is_active"]
    list_select_related = ["parent"]
    list_before_template = "segments/admin/tag_progress.html"
    search_fields = ["name", "key"]
    prepopulated_fields = {"key": ["name"]}
    actions = None
    actions_detail = ["recompute"]
    conditional_fields = {name: _shown_for(name) for name in ALL_KIND_FIELDS}

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).order_by("path", "key")

    def get_ordering(self, request: HttpRequest) -> list[str]:
        return ["path", "key"]

    def get_fieldsets(self, request: HttpRequest, obj: Tag | None = None) -> Any:
        own = KIND_FIELDS[TagKind(obj.kind)] if obj else ALL_KIND_FIELDS
        sets: list[Any] = [(None, {"fields": COMMON})]
        if own:
            sets.append((_("How it comes about"), {"fields": own}))
        sets.append((_("Advice for campaigns"), {"fields": ADVICE}))
        return [*sets, (_("State"), {"fields": STATE})] if obj else sets

    def get_readonly_fields(self, request: HttpRequest, obj: Tag | None = None) -> list[str]:
        if obj is None:
            return []
        fixed = ["key", *STATE]
        return [*fixed, "parent", "position"] if obj.kind == TagKind.CATEGORY else fixed

    def get_prepopulated_fields(self, request: HttpRequest, obj: Tag | None = None) -> Any:
        return {} if obj else self.prepopulated_fields

    def get_inlines(self, request: HttpRequest, obj: Tag | None) -> list[Any]:
        if obj is None:
            return []
        inlines: list[Any] = []
        if obj.kind in (TagKind.GROUP, TagKind.RULE):
            inlines.append(ParameterInline)
        if obj.kind == TagKind.INTEREST:
            inlines.append(GainInline)
        return [*inlines, BoostInline] if assignment.can_be_carried(obj) else inlines

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A tag is retired by making it inactive: segments and what was said of people refer to it."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        progress = selectors.progress(timezone.now())
        return super().changelist_view(request, {**(extra_context or {}), "progress": progress})

    def save_model(self, request: HttpRequest, obj: Tag, form: Any, change: bool) -> None:
        """Nothing yet: see `save_related`, for a rule and its parameters are one change."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        actor, now = actors.user(request.user), timezone.now()
        if not change:
            stored = definitions.create(fields=form.cleaned_data, actor=actor, now=now)
            adopt(form.instance, stored)
            return
        for formset in formsets:
            if formset.model is TagBoost:
                self._add_boosts(form.instance, formset, actor)
                continue
            formset.save()
            if formset.has_changed():
                definitions.details_changed(tag=form.instance, actor=actor, now=now)
        if form.changed_data:
            changed = {name: form.cleaned_data[name] for name in form.changed_data if name in form.cleaned_data}
            adopt(form.instance, definitions.change(tag=form.instance, fields=changed, actor=actor, now=now))

    @staticmethod
    def _add_boosts(tag: Tag, formset: Any, actor: str) -> None:
        for form in formset.extra_forms:
            if form.has_changed():
                given = {name: form.cleaned_data[name] for name in ("factor", "goal", "starts_at", "ends_at")}
                form.instance = boosts.create(tag=tag, **given, actor=actor, now=timezone.now())
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []

    @display(description=_("name"), ordering="path")
    def tree_name(self, obj: Tag) -> str:
        depth = obj.path.count(" ")
        return format_html('<span style="padding-left: {}rem">{}</span>', 1.25 * depth, obj.name)

    @display(description=_("update rhythm"), ordering="rhythm")
    def when(self, obj: Tag) -> Any:
        with_parent = obj.kind == TagKind.CATEGORY or (obj.kind == TagKind.RULE and obj.rhythm == Rhythm.NEVER)
        return _("with its parent") if with_parent else obj.get_rhythm_display()

    @display(description=_("people"), ordering="people")
    def people_share(self, obj: Tag) -> str:
        return f"{obj.people:,} ({selectors.shares([obj])[obj.pk]:.1%})" if assignment.can_be_carried(obj) else ""

    @display(description=_("state"), label=STATE_COLOURS)
    def status(self, obj: Tag) -> Any:
        labels = {
            "failed": _("failed"), "running": _("computing"), "waiting": _("waiting"), "computed": _("computed"),
        }  # fmt: skip
        state = selectors.state(obj, timezone.now())
        return (state, labels[state]) if state else None

    def has_recompute_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("segments.change_tag")

    @action(
        description=_("Compute now"),
        permissions=["recompute"],
        dialog={
            "title": _("Compute this tag"),
            "description": _("Finds out anew who carries it once a worker is free. The list shows the progress."),
            "form_class": None,
            "form_submit_text": _("Compute"),
        },
    )
    def recompute(self, request: HttpRequest, form: Any, object_id: int) -> HttpResponse:
        url = reverse("admin:segments_tag_change", args=[object_id])
        try:
            definitions.recompute(
                tag=Tag.objects.get(pk=object_id), actor=actors.user(request.user), now=timezone.now()
            )
        except ValidationError as error:
            return done(request, url, "; ".join(error.messages), error=True)
        return done(request, url, gettext("It is computed as soon as a worker is free."))
