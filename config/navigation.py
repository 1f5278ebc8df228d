"""The admin's side bar: what a person may see, in the order of the work."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

Item = tuple[Any, str, str]
"""Title, model, icon; after a colon a page of the model other than its list."""
GROUPS: list[tuple[Any, list[Item]]] = [
    (
        _("Campaigns"),
        [
            (_("Campaigns"), "campaigns.campaign", "campaign"),
            (_("Templates"), "campaigns.messagetemplate", "draft"),
            (_("Runs"), "campaigns.run", "play_circle"),
            (_("Deliveries"), "campaigns.delivery", "outgoing_mail"),
            (_("Sending channels"), "campaigns.sendingchannel", "cell_tower"),
            (_("Frequency caps"), "campaigns.frequencycap", "speed"),
            (_("Send windows"), "campaigns.sendwindow", "schedule_send"),
            (_("Quiet hours"), "campaigns.quiethours", "bedtime"),
            (_("Batches"), "campaigns.batch", "stacks"),
        ],
    ),
    (
        _("People"),
        [
            (_("Customer base"), "segments.profilestats", "monitoring"),
            (_("Profiles"), "segments.profile", "person"),
            (_("Conflicting joins"), "segments.joinreview", "call_merge"),
            (_("Merges"), "segments.profilemerge", "merge"),
            (_("Segments"), "segments.segment", "groups"),
            (_("Overlap of segments"), "segments.segment:overlap", "join_inner"),
            (_("Segment sizes"), "segments.segmentsize", "show_chart"),
            (_("Segment members"), "segments.segmentmembership", "group_add"),
            (_("Entries and exits"), "segments.segmentchange", "history"),
            (_("Tags"), "segments.tag", "sell"),
            (_("Boosts"), "segments.tagboost", "trending_up"),
            (_("Removed tags"), "segments.tagexclusion", "label_off"),
            (_("Events"), "segments.event", "bolt"),
        ],
    ),
    (
        _("Data"),
        [
            (_("Sources"), "segments.source", "database"),
            (_("Data quality"), "segments.qualityday", "monitoring"),
            (_("Quality standards"), "segments.qualitystandard", "straighten"),
            (_("Quarantine"), "segments.quarantinedevent", "pause_circle"),
            (_("Cleaning rules"), "segments.cleaningrule", "cleaning_services"),
            (_("Event types"), "segments.eventtype", "schema"),
            (_("Attribute types"), "segments.attributetype", "label"),
            (_("Imports"), "segments.importjob", "upload_file"),
            (_("Rejected rows"), "segments.rejectedrow", "rule"),
        ],
    ),
    (
        _("Law and trust"),
        [
            (_("Consents"), "compliance.consentstate", "check_circle"),
            (_("Consent ledger"), "compliance.consentrecord", "history_edu"),
            (_("Suppressions"), "compliance.suppression", "block"),
            (_("Requests of people"), "compliance.subjectrequest", "contact_mail"),
            (_("Propagation"), "compliance.propagationtask", "share"),
            (_("Notices"), "compliance.notice", "description"),
            (_("Purposes"), "compliance.purpose", "flag"),
            (_("Audit log"), "compliance.auditleaf", "receipt_long"),
            (_("Checkpoints"), "compliance.checkpoint", "verified"),
        ],
    ),
    (
        _("System"),
        [
            (_("Staff"), "auth.user", "badge"),
            (_("Roles"), "auth.group", "admin_panel_settings"),
            (_("Downstream systems"), "compliance.downstreamsystem", "hub"),
            (_("API clients"), "compliance.apiclient", "key"),
            (_("Schedule"), "django_celery_beat.periodictask", "schedule"),
        ],
    ),
]


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups for django-unfold; an item shows for those who may view its model."""
    return [
        {"title": title, "separator": True, "collapsible": False, "items": [_entry(item) for item in items]}
        for title, items in GROUPS
    ]


def _entry(item: Item) -> dict[str, Any]:
    title, label, icon = item
    label, _colon, page = label.partition(":")
    app, model = label.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse(f"admin:{app}_{model}_{page or 'changelist'}"),
        "permission": _may_view(app, model),
    }


def _may_view(app: str, model: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(f"{app}.view_{model}")
