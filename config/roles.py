"""Six roles with least privilege, as data. `manage.py setup_roles` puts them into the database."""

from collections.abc import Mapping

from django.apps import apps
from django.contrib.auth.models import Group, Permission

VIEW = ("view",)
WRITE = ("view", "add", "change")
MANAGE = ("view", "add", "change", "delete")

# What everybody on the staff may look at: what is said, to which groups, when. No single person's data.
_PLANS = {
    "campaigns.campaign": VIEW,
    "campaigns.frequencycap": VIEW,
    "campaigns.messagetemplate": VIEW,
    "campaigns.quiethours": VIEW,
    "campaigns.run": VIEW,
    "campaigns.sendwindow": VIEW,
    "campaigns.sendingchannel": VIEW,
    "compliance.notice": VIEW,
    "compliance.purpose": VIEW,
    "segments.segment": VIEW,
    "segments.segmentsize": VIEW,
    "segments.segmentupload": VIEW,
    "segments.segmentversion": VIEW,
    "segments.source": VIEW,
    "segments.tag": VIEW,
    "segments.tagboost": VIEW,
    "segments.taggain": VIEW,
    "segments.tagparameter": VIEW,
}
# Data about people, names and addresses masked.
_PEOPLE = {
    "campaigns.delivery": VIEW,
    "segments.event": VIEW,
    "segments.identity": VIEW,
    "segments.joinreview": VIEW,
    "segments.profile": VIEW,
    "segments.profilemerge": VIEW,
    "segments.profilestats": VIEW,
    "segments.profiletag": VIEW,
    "segments.quarantinedevent": VIEW,
    "segments.segmentchange": VIEW,
    "segments.segmentmembership": VIEW,
    "segments.tagexclusion": VIEW,
}
_LEDGERS = {
    "compliance.auditleaf": VIEW,
    "compliance.checkpoint": VIEW,
    "compliance.consentrecord": VIEW,
    "compliance.consentstate": VIEW,
    "compliance.downstreamsystem": VIEW,
    "compliance.propagationtask": VIEW,
    "compliance.subjectrequest": VIEW,
    "compliance.sealedleaf": VIEW,
    "compliance.subject": VIEW,
    "compliance.suppression": VIEW,
}
# What came in, what was done to it and how good it was.
_IMPORTS = {
    "segments.attributetype": VIEW,
    "segments.cleaningrule": VIEW,
    "segments.eventtype": VIEW,
    "segments.importjob": VIEW,
    "segments.qualityday": VIEW,
    "segments.qualitystandard": VIEW,
    "segments.rejectedrow": VIEW,
}

ROLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Marketing": {
        **_PLANS,
        **_PEOPLE,
        **_IMPORTS,
        "campaigns.batch": VIEW,
        "campaigns.campaign": (*MANAGE, "pause_campaign"),
        "campaigns.messagetemplate": MANAGE,
        "campaigns.sendwindow": MANAGE,
        "segments.segment": (*MANAGE, "restore_segment", "upload_segment"),
        "segments.tag": WRITE,
        "segments.tagboost": WRITE,
        "segments.taggain": MANAGE,
        "segments.tagparameter": MANAGE,
        "segments.profiletag": MANAGE,
    },
    "Analyst": {
        **_PLANS,
        **_PEOPLE,
        **_IMPORTS,
        "segments.attributetype": WRITE,
        "segments.cleaningrule": WRITE,
        "segments.eventtype": WRITE,
        "segments.qualitystandard": WRITE,
        "segments.quarantinedevent": ("view", "decide_quarantinedevent"),
        "segments.segment": (*WRITE, "restore_segment", "upload_segment"),
    },
    "Support": {
        **_PLANS,
        **_PEOPLE,
        "compliance.consentrecord": ("view", "add"),
        "compliance.consentstate": VIEW,
        "compliance.subjectrequest": ("view", "add"),
        "compliance.suppression": ("view", "add"),
        "segments.profile": ("view", "view_personal_data"),
        "segments.profilemerge": ("view", "merge_profiles", "undo_profilemerge"),
        "segments.profiletag": MANAGE,
    },
    "Compliance officer": {
        **_PLANS,
        **_PEOPLE,
        **_LEDGERS,
        **_IMPORTS,
        "campaigns.campaign": ("view", "approve_campaign", "pause_campaign"),
        "campaigns.frequencycap": MANAGE,
        "campaigns.quiethours": MANAGE,
        "compliance.consentrecord": ("view", "add", "export_consentrecord"),
        "compliance.notice": ("view", "add"),
        "compliance.propagationtask": ("view", "change"),
        "compliance.purpose": WRITE,
        "compliance.subjectrequest": ("view", "add", "fulfil_subjectrequest"),
        "compliance.suppression": WRITE,
        "segments.profile": ("view", "view_personal_data"),
        "segments.profilemerge": ("view", "merge_profiles", "undo_profilemerge"),
    },
    "Auditor": {
        **_PLANS,
        **_PEOPLE,
        **_LEDGERS,
        **_IMPORTS,
        "auth.group": VIEW,
        "auth.user": VIEW,
        "campaigns.batch": VIEW,
        "compliance.consentrecord": ("view", "export_consentrecord"),
    },
    "Administrator": {
        **_PLANS,
        **_LEDGERS,
        **_IMPORTS,
        "auth.group": MANAGE,
        "auth.user": MANAGE,
        "campaigns.batch": VIEW,
        "campaigns.sendingchannel": MANAGE,
        "django_celery_beat.crontabschedule": MANAGE,
        "django_celery_beat.intervalschedule": MANAGE,
        "django_celery_beat.periodictask": MANAGE,
        "oauth2_provider.accesstoken": ("view", "delete"),
        "compliance.apiclient": MANAGE,
        "compliance.downstreamsystem": WRITE,
        "segments.attributetype": MANAGE,
        "segments.cleaningrule": MANAGE,
        "segments.eventtype": MANAGE,
        "segments.qualitystandard": WRITE,
        "segments.source": MANAGE,
    },
}


def apply_roles() -> None:
    """Give each role exactly the permissions that stand here. Groups of other names are left alone."""
    known = {
        (f"{app}.{model}", codename): pk
        for pk, app, model, codename in Permission.objects.values_list(
            "pk", "content_type__app_label", "content_type__model", "codename"
        )
    }
    for name, grants in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        wanted = [known[label, _codename(label, act)] for label, acts in grants.items() for act in acts]
        group.permissions.set(wanted)


def _codename(label: str, act: str) -> str:
    """`view` of a profile is `view_profile`; a permission that the model declares itself stands as it is."""
    model = apps.get_model(label)
    own = {codename for codename, _ in model._meta.permissions}
    return act if act in own else f"{act}_{model._meta.model_name}"
