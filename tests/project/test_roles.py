"""The six roles: least privilege, and an auditor who can look and change nothing."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from compliance.models import ApiClient, AuditLeaf
from config import roles
from tests.factories.api import make_client, make_token
from tests.factories.campaigns import CampaignFactory, UserFactory

pytestmark = pytest.mark.django_db
READING = ("view_", "export_")
REGISTERED = sorted(admin.site._registry, key=lambda model: model._meta.label)


@pytest.fixture(autouse=True)
def _roles() -> None:
    roles.apply_roles()


def member(role: str) -> User:
    user = UserFactory(username=role.replace(" ", "-").lower())
    user.groups.add(Group.objects.get(name=role))
    return user


def client_of(role: str) -> Client:
    client = Client()
    client.force_login(member(role))
    return client


def permissions(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def test_setting_up_again_changes_nothing_and_takes_back_what_was_added() -> None:
    before = {role: permissions(role) for role in roles.ROLES}
    Group.objects.get(name="Auditor").permissions.add(Permission.objects.get(codename="delete_campaign"))
    call_command("setup_roles")
    assert {role: permissions(role) for role in roles.ROLES} == before


def test_an_auditor_may_look_and_export_and_nothing_else() -> None:
    assert [name for name in permissions("Auditor") if not name.split(".")[1].startswith(READING)] == []
    assert "compliance.export_consentrecord" in permissions("Auditor")
    assert "segments.view_personal_data" not in permissions("Auditor")


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_an_auditor_changes_nothing_on_any_page(model: type[Model]) -> None:
    request = RequestFactory().get("/")
    request.user = member("Auditor")
    pages = admin.site._registry[model]
    assert not pages.has_add_permission(request)
    assert not pages.has_change_permission(request)
    assert not pages.has_delete_permission(request)
    add = client_of("Auditor").post(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add"), {})
    assert add.status_code == 403


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_staff_without_a_role_see_nothing(model: type[Model]) -> None:
    client = Client()
    client.force_login(UserFactory(username="nobody"))
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert client.get(reverse(f"{name}_changelist")).status_code == 403
    assert client.get(reverse(f"{name}_add")).status_code == 403


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_visitors_are_sent_to_the_login(model: type[Model]) -> None:
    answer = Client().get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("admin:login"))


ACTIONS = {
    "campaigns_campaign": ("submit", "approve", "pause", "resume", "send_back", "cancel"),
    "compliance_auditleaf": ("verify_now", "evidence_kit"),
    "compliance_consentrecord": ("export",),
    "compliance_consentstate": ("withdraw",),
    "compliance_downstreamsystem": ("renew_secret",),
    "compliance_propagationtask": ("try_now", "acknowledge"),
    "compliance_subjectrequest": ("confirm_identity", "package", "fulfil", "erase", "refuse"),
    "compliance_suppression": ("lift",),
    "campaigns_delivery": ("was_sent", "was_not_sent"),
    "campaigns_messagetemplate": ("preview",),
    "campaigns_sendingchannel": ("try_out",),
    "segments_joinreview": ("merge", "keep_apart"),
    "segments_profile": ("personal_data", "give_tag", "remove_tag", "merge"),
    "segments_profilemerge": ("undo",),
    "segments_segment": (
        "refresh_now", "take_snapshot", "upload_members", "show_members", "show_history", "compare_versions",
    ),
    "segments_tag": ("recompute",),
    "segments_tagboost": ("end_now",),
    "segments_tagexclusion": ("readmit",),
}  # fmt: skip

LIST_ACTIONS = ("verify_now", "evidence_kit", "export")


def _action_urls() -> Iterator[tuple[str, str]]:
    for model, pages in admin.site._registry.items():
        names = [*getattr(pages, "actions_detail", ()), *getattr(pages, "actions_list", ())]
        for name in names:
            yield f"{model._meta.app_label}_{model._meta.model_name}", name


def test_every_action_of_every_page_has_a_test_of_who_may_not() -> None:
    assert sorted(_action_urls()) == sorted((model, name) for model, names in ACTIONS.items() for name in names)


@pytest.mark.parametrize(("model", "name"), [(model, name) for model, names in ACTIONS.items() for name in names])
def test_actions_are_refused_to_staff_without_a_role(model: str, name: str) -> None:
    client = Client()
    client.force_login(UserFactory(username="nobody"))
    url = next(pattern for pattern in _patterns(model) if pattern.endswith(name))
    path = reverse(f"admin:{url}", args=[] if name in LIST_ACTIONS else [1])
    assert client.get(path).status_code == 403
    assert client.post(path, {"_form_submitted": "on"}).status_code == 403


def _patterns(model: str) -> list[str]:
    pages = next(p for m, p in admin.site._registry.items() if f"{m._meta.app_label}_{m._meta.model_name}" == model)
    return [pattern.name for pattern in pages.get_urls() if getattr(pattern, "name", None)]


@pytest.mark.parametrize("role", ["Auditor", "Support", "Administrator", "Compliance officer"])
def test_only_those_who_may_write_segments_use_the_builder(role: str) -> None:
    client, rule = client_of(role), {"definition": '{"all": []}'}
    for page in ("catalogue", "suggestions"):
        assert client.get(reverse(f"admin:segments_segment_{page}"), {"source": "tags"}).status_code == 403
    for page in ("preview", "names"):
        assert client.post(reverse(f"admin:segments_segment_{page}"), rule).status_code == 403


@pytest.mark.parametrize(
    ("role", "permission", "granted"),
    [
        ("Marketing", "campaigns.change_campaign", True),
        ("Marketing", "campaigns.approve_campaign", False),
        ("Marketing", "segments.view_personal_data", False),
        ("Compliance officer", "campaigns.approve_campaign", True),
        ("Compliance officer", "campaigns.change_campaign", False),
        ("Support", "segments.view_personal_data", True),
        ("Support", "compliance.change_suppression", False),
        ("Analyst", "segments.view_personal_data", False),
        ("Support", "segments.merge_profiles", True),
        ("Compliance officer", "segments.undo_profilemerge", True),
        ("Marketing", "segments.merge_profiles", False),
        ("Auditor", "segments.undo_profilemerge", False),
        ("Administrator", "segments.view_profile", False),
        ("Administrator", "auth.change_user", True),
        ("Administrator", "campaigns.approve_campaign", False),
    ],
)
def test_what_the_roles_may(role: str, permission: str, *, granted: bool) -> None:
    assert (permission in permissions(role)) is granted


def test_an_administrator_does_not_become_a_superuser() -> None:
    client = client_of("Administrator")
    boss = User.objects.create_superuser("boss", "boss@example.com", "x")
    me = User.objects.get(username="administrator")
    assert client.post(reverse("admin:auth_user_change", args=[boss.pk]), {"username": "mine"}).status_code == 403
    assert client.post(reverse("admin:auth_user_password_change", args=[boss.pk]), {}).status_code == 403
    form = {
        "username": "administrator", "is_active": "on", "is_staff": "on", "is_superuser": "on", "groups": [],
        "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00",
    }  # fmt: skip
    client.post(reverse("admin:auth_user_change", args=[me.pk]), form)
    me.refresh_from_db()
    assert not me.is_superuser


def test_a_submitted_campaign_is_not_edited() -> None:
    campaign = CampaignFactory()
    type(campaign).objects.filter(pk=campaign.pk).update(
        state="submitted", submitted_by=UserFactory(), submitted_at=campaign.scheduled_at
    )
    client = client_of("Marketing")
    assert client.post(reverse("admin:campaigns_campaign_change", args=[campaign.pk]), {"name": "x"}).status_code == 403


@pytest.mark.parametrize("by_action", [True, False])
def test_shutting_out_an_api_client_leaves_an_audit_leaf(*, by_action: bool) -> None:
    shop, _secret = make_client("profiles:read")
    make_token("profiles:read", client=shop)
    client = client_of("Administrator")
    if by_action:
        chosen = {"action": "delete_selected", "_selected_action": [shop.pk], "post": "yes"}
        client.post(reverse("admin:compliance_apiclient_changelist"), chosen)
    else:
        client.post(reverse("admin:compliance_apiclient_delete", args=[shop.pk]), {"post": "yes"})
    assert not ApiClient.objects.exists()
    leaf = AuditLeaf.objects.get(action="api_client.removed")
    assert (leaf.actor, leaf.object_id) == ("user:administrator", shop.client_id)


def test_who_gives_a_role_a_password_or_a_way_out_leaves_an_audit_leaf() -> None:
    client = client_of("Administrator")
    anna, officer = UserFactory(username="anna"), Group.objects.get(name="Compliance officer")
    form = {
        "username": "anna", "is_active": "on", "is_staff": "on", "groups": [officer.pk],
        "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00",
    }  # fmt: skip
    client.post(reverse("admin:auth_user_change", args=[anna.pk]), form)
    words = {"password1": "correct horse battery", "password2": "correct horse battery", "usable_password": "true"}
    client.post(reverse("admin:auth_user_password_change", args=[anna.pk]), words)
    client.post(reverse("admin:auth_user_delete", args=[anna.pk]), {"post": "yes"})
    leaves = AuditLeaf.objects.filter(object_type="user", object_id=str(anna.pk)).order_by("pk")
    assert [leaf.action for leaf in leaves] == ["user.changed", "user.changed", "user.removed"]
    assert {leaf.actor for leaf in leaves} == {"user:administrator"}
    assert b"Compliance officer" in bytes(leaves[0].data)
