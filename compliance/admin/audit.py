import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from compliance.admin.base import ReadOnlyAdmin, done
from compliance.admin.exporting import export_page
from compliance.models import AuditLeaf, Checkpoint
from compliance.selectors import audit
from compliance.services import evidence


@admin.register(AuditLeaf)
class AuditLeafAdmin(ReadOnlyAdmin):
    """Who did what, when. Append-only; sealed into a Merkle tree."""

    list_display = ["recorded_at", "action", "actor", "object_type", "object_id", "place"]
    list_filter = ["action", "object_type"]
    search_fields = ["object_id__exact", "actor__exact"]
    search_help_text = _("Id of the object, or the actor, such as user:anna")
    list_select_related = ["sealed"]
    show_full_result_count = False
    date_hierarchy = "recorded_at"
    fields = ["recorded_at", "action", "actor", "object_type", "object_id", "content", "hash_hex", "place"]
    readonly_fields = fields
    actions_list = ["verify_now", "evidence_kit"]

    @display(description=_("content"))
    def content(self, obj: AuditLeaf) -> str:
        return json.dumps(json.loads(bytes(obj.data)), indent=1, ensure_ascii=False)

    @display(description=_("leaf hash"))
    def hash_hex(self, obj: AuditLeaf) -> str:
        return bytes(obj.leaf_hash).hex()

    @display(description=_("place in the tree"), empty_value=_("not sealed yet"))
    def place(self, obj: AuditLeaf) -> int | None:
        sealed = getattr(obj, "sealed", None)
        return sealed.index if sealed else None

    @action(
        description=_("Verify now"),
        permissions=["view"],
        dialog={
            "title": _("Verify the audit log"),
            "description": _("Recomputes every leaf and compares every checkpoint. A large log takes a while."),
            "form_class": None,
            "form_submit_text": _("Verify"),
        },
    )
    def verify_now(self, request: HttpRequest, form: Any) -> HttpResponse:
        report = audit.verify()
        url = reverse("admin:compliance_auditleaf_changelist")
        if not report.ok:
            return done(request, url, report.first_problem, error=True)
        text = gettext(
            "The audit log is whole: %(sealed)s sealed leaves, %(checkpoints)s checkpoints, %(open)s waiting."
        )
        counts = {"sealed": report.sealed, "checkpoints": report.checkpoints, "open": report.unsealed}
        return done(request, url, text % counts)

    def has_export_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return request.user.has_perm("compliance.export_consentrecord")

    @action(description=_("Evidence kit"), permissions=["export"], url_path="evidence")
    def evidence_kit(self, request: HttpRequest) -> HttpResponse:
        text = gettext(
            "Consents, notices, audit leaves, checkpoints and proofs of the range, with a program that checks them "
            "offline: python3 verify.py. A range that lies in the past gives the same bytes each time."
        )
        return export_page(request, self, name="evidence", text=text, write=evidence.export_evidence)


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    """Signed statements of the log's size and root; give them to a witness."""

    list_display = ["created_at", "tree_size", "root"]
    fields = ["created_at", "tree_size", "root", "note"]
    readonly_fields = fields

    @display(description=_("root hash"))
    def root(self, obj: Checkpoint) -> str:
        return bytes(obj.root_hash).hex()
