"""Merging, undoing and deciding by hand, in the admin."""

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from compliance.models import AuditLeaf
from compliance.uuid7 import uuid7
from config import roles
from segments.models import JoinReview, Profile, ProfileMerge
from segments.profile_input import ProfileInput
from tests.factories.campaigns import UserFactory
from tests.segments.identity.stage import merge, person, tell

pytestmark = pytest.mark.django_db
PHONE, OTHER_PHONE = "+8613100000001", "+8613100000002"


def client_of(role: str) -> Client:
    roles.apply_roles()
    user = UserFactory(username=role.lower())
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def support() -> Client:
    return client_of("Support")


@pytest.fixture
def people() -> tuple[Profile, Profile]:
    return person(phone=PHONE, city="Wuhan"), person(email="li@example.com", name="Li")


@pytest.fixture
def review(people: tuple[Profile, Profile]) -> JoinReview:
    tell(ProfileInput(email="li@example.com", phone=OTHER_PHONE))
    tell(ProfileInput(phone=PHONE, email="li@example.com", name="Li Wei"))
    return JoinReview.objects.get()


def act(client: Client, name: str, pk: int, **form: object) -> list[str]:
    """Press an action and fill its dialog; returns what the page says."""
    answer = client.post(reverse(f"admin:{name}", args=[pk]), {"_form_submitted": "on", **form}, follow=True)
    assert answer.status_code == 200
    return [str(message) for message in answer.context["messages"]] if "messages" in answer.context else []


def test_staff_merge_two_profiles_and_undo_it(support: Client, people: tuple[Profile, Profile]) -> None:
    first, second = people
    said = act(support, "segments_profile_merge", first.pk, absorb=second.subject.uid, note="same voice")
    assert said == ["The profiles are merged."]
    made = ProfileMerge.objects.get()
    assert (made.survivor, made.cause, made.merged_by, made.note) == (first, "staff", "user:support", "same voice")
    page = support.get(reverse("admin:segments_profile_change", args=[first.pk])).content.decode()
    assert reverse("admin:segments_profilemerge_change", args=[made.pk]) in page
    assert act(support, "segments_profilemerge_undo", made.pk, note="brothers") == ["The merge is undone."]
    made.refresh_from_db()
    assert (made.undone_by, made.undone_note) == ("user:support", "brothers")


def test_what_goes_wrong_is_said(support: Client, people: tuple[Profile, Profile]) -> None:
    first, second = people
    (said,) = act(support, "segments_profile_merge", first.pk, absorb=first.subject.uid, note="x")
    assert "the same profile" in said
    one, _ = merge(first, second), merge(person(wechat="w1"), first)
    (said,) = act(support, "segments_profilemerge_undo", one.pk, note="x")
    assert "undo the later merge" in said
    act(support, "segments_profile_merge", first.pk, absorb=uuid7(), note="x")
    assert ProfileMerge.objects.count() == 2


def test_a_profile_that_was_merged_is_not_in_the_list_and_says_where_it_went(
    support: Client, people: tuple[Profile, Profile]
) -> None:
    first, second = people
    merge(first, second)
    listed = support.get(reverse("admin:segments_profile_changelist")).context["cl"].result_list
    assert list(listed) == [first]
    page = support.get(reverse("admin:segments_profile_change", args=[second.pk]))
    assert f"#{first.pk}" in page.content.decode()
    found = support.get(reverse("admin:segments_profile_changelist") + "?q=li@example.com").context["cl"].result_list
    assert list(found) == [first]


def test_a_review_shows_what_was_said_to_those_who_may_see_it(support: Client, review: JoinReview) -> None:
    url = reverse("admin:segments_joinreview_change", args=[review.pk])
    assert "Li Wei" in support.get(url).content.decode()
    assert AuditLeaf.objects.get(action="join_review.input_viewed").object_id == str(review.uid)
    page = client_of("Marketing").get(url)
    assert page.status_code == 200
    shown = page.content.decode()
    assert "Li Wei" not in shown
    assert PHONE not in shown
    assert "l***@example.com" in shown
    assert "+86***01" in shown
    assert AuditLeaf.objects.filter(action="join_review.input_viewed").count() == 1


def test_a_review_is_decided(support: Client, review: JoinReview) -> None:
    assert act(support, "segments_joinreview_keep_apart", review.pk, note="asked both") == ["They stay two people."]
    review.refresh_from_db()
    assert (review.state, review.decided_by, review.note) == ("kept_apart", "user:support", "asked both")
    answer = support.post(reverse("admin:segments_joinreview_merge", args=[review.pk]), {"_form_submitted": "on"})
    assert answer.status_code == 403


def test_a_review_ends_in_a_merge(support: Client, review: JoinReview) -> None:
    assert act(support, "segments_joinreview_merge", review.pk, note="one person") == ["The profiles are merged."]
    assert ProfileMerge.objects.get().cause == "review"


@pytest.mark.parametrize("role", ["Marketing", "Analyst", "Auditor"])
def test_other_roles_look_and_do_not_decide(role: str, review: JoinReview) -> None:
    client = client_of(role)
    made = merge(person(wechat="w1"), person(wechat="w2"))
    targets = [
        ("segments_joinreview_merge", review.pk), ("segments_joinreview_keep_apart", review.pk),
        ("segments_profilemerge_undo", made.pk), ("segments_profile_merge", made.survivor_id),
    ]  # fmt: skip
    for name, pk in targets:
        assert client.post(reverse(f"admin:{name}", args=[pk]), {"_form_submitted": "on"}).status_code == 403
    assert client.get(reverse("admin:segments_profilemerge_change", args=[made.pk])).status_code == 200
