"""Whom an input speaks of that names several people, and who is merged then."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from compliance.models import AuditLeaf
from segments.models import Identity, JoinReview, Profile, ProfileMerge
from segments.precedence import contradictions
from segments.profile_input import ProfileInput
from segments.services import join_reviews, merging
from segments.services.merging import MergeError
from tests.segments.identity.stage import NOW, bought, merge, person, tell, undo

pytestmark = pytest.mark.django_db
PHONE, B_PHONE, A = "+8613100000001", "+8613100000002", "a@example.com"
NO_1, NO_2, WECHAT = {"external_id": "1"}, {"external_id": "2"}, {"wechat": "w1"}


def owner(kind: str, of: Profile) -> bool:
    return Identity.objects.filter(profile=of, kind=kind).exists()


def test_a_shared_identifier_joins_two_people_whom_nothing_contradicts() -> None:
    first = person(phone=PHONE, city="Wuhan")
    second = person(email="li@example.com", name="Li", city="Hangzhou")
    (result,) = tell(ProfileInput(phone=PHONE, email="li@example.com", gender="female"))
    assert (result.profile_id, result.merged, result.in_review) == (first.pk, True, False)
    made = ProfileMerge.objects.get()
    assert (made.survivor, made.absorbed, made.cause, made.shared_kinds) == (first, second, "identifier", ["email"])
    first.refresh_from_db()
    assert (first.city, first.gender) == ("Wuhan", "female")
    assert owner("email", first)


def test_the_one_known_longest_survives_whatever_identifier_was_stronger() -> None:
    first = person(email="li@example.com", now=NOW - timedelta(days=2))
    second = person(phone=PHONE)
    (result,) = tell(ProfileInput(phone=PHONE, email="li@example.com"))
    assert result.profile_id == first.pk
    second.refresh_from_db()
    assert second.merged_into == first


def test_several_people_are_joined_by_one_input() -> None:
    people = [person(phone=PHONE), person(email="li@example.com"), person(wechat="w1"), person(device="d1")]
    (result,) = tell(ProfileInput(phone=PHONE, email="li@example.com", wechat="w1", device="d1"))
    assert result.profile_id == people[0].pk
    assert Profile.objects.living().count() == 1
    assert ProfileMerge.objects.count() == 3


@pytest.mark.parametrize(
    ("first", "second", "told", "kinds"),
    [
        ({"phone": PHONE, "email": A}, {"phone": B_PHONE, **WECHAT}, {"phone": PHONE, **WECHAT}, ["phone"]),
        ({"wechat": "w2", "phone": PHONE}, {**WECHAT, "email": A}, {"phone": PHONE, "email": A}, ["wechat"]),
        ({**NO_1, "phone": PHONE}, {**NO_2, "email": A}, {"phone": PHONE, "email": A}, ["external"]),
    ],
)
def test_different_values_of_what_a_person_has_one_of_go_to_review(
    first: dict[str, str], second: dict[str, str], told: dict[str, str], kinds: list[str]
) -> None:
    one, other = person(**first), person(**second)
    (result,) = tell(ProfileInput(**told, city="Wuhan"))
    assert (result.profile_id, result.merged, result.in_review) == (one.pk, False, True)
    review = JoinReview.objects.get()
    assert (review.profile, review.other, review.contradicting_kinds) == (one, other, kinds)
    one.refresh_from_db()
    assert one.city == "Wuhan"  # the good part of the input is in
    assert join_reviews.given(review) == {**told, "city": "Wuhan"}
    assert told["phone"].encode() not in bytes(review.input_encrypted)


def test_different_email_addresses_are_no_contradiction() -> None:
    first = person(external_id="1", email="work@example.com")
    person(phone=PHONE, email="home@example.com")
    (result,) = tell(ProfileInput(external_id="1", phone=PHONE))
    assert result.merged
    assert first.identities.filter(kind="email").count() == 2
    assert first.identities.filter(kind="email", is_primary=True).count() == 1


def test_customer_numbers_of_two_sources_are_no_contradiction() -> None:
    first = person(external_id="7", email=A)
    person(external_id="7", phone=PHONE, source="app")
    (result,) = tell(ProfileInput(email=A, phone=PHONE))
    assert (result.profile_id, result.merged) == (first.pk, True)


def test_what_the_input_itself_says_may_contradict() -> None:
    person(email=A)
    person(wechat="w1", phone=PHONE)
    (result,) = tell(ProfileInput(email=A, wechat="w1", phone=B_PHONE))
    assert (result.merged, result.in_review) == (False, True)


def test_a_new_phone_number_of_somebody_who_is_known_is_a_change_and_no_conflict() -> None:
    known = person(external_id="1", phone=PHONE)
    assert person(external_id="1", phone=B_PHONE) == known
    assert known.identities.filter(kind="phone").count() == 2


def test_a_shared_device_joins_nobody_with_stronger_identifiers() -> None:
    first = person(phone=PHONE, device="d1")
    (result,) = tell(ProfileInput(phone=B_PHONE, device="d1"))
    assert result.created
    assert Identity.objects.get(kind="device").profile == first
    second = Profile.objects.get(pk=result.profile_id)
    (again,) = tell(ProfileInput(phone=B_PHONE, device="d1", city="Wuhan"))
    assert (again.profile_id, again.merged, again.in_review) == (second.pk, False, False)
    leaf = AuditLeaf.objects.filter(action="identity.device_shared").last()
    assert leaf is not None
    assert leaf.object_id == str(second.pk)


def test_a_device_joins_who_was_nobody_yet() -> None:
    visitor = person(device="d1")
    (named,) = tell(ProfileInput(device="d1", email=A))
    assert named.profile_id == visitor.pk
    known = person(phone=PHONE, now=NOW - timedelta(days=1))
    anonymous = person(device="d2")
    bought("d2", identifier="device")
    (result,) = tell(ProfileInput(phone=PHONE, device="d2"))
    assert (result.profile_id, result.merged) == (known.pk, True)
    assert known.stats.event_count == 1
    anonymous.refresh_from_db()
    assert anonymous.merged_into == known


def test_people_who_are_made_in_one_batch_are_joined_without_a_merge() -> None:
    results = tell(
        ProfileInput(phone=PHONE, city="Wuhan"),
        ProfileInput(email=A, city="Hangzhou"),
        ProfileInput(phone=PHONE, email=A),
        ProfileInput(email=A, region="Hubei"),
    )
    assert len({result.profile_id for result in results}) == 1
    assert not ProfileMerge.objects.exists()
    made = Profile.objects.get()
    assert (made.city, made.region) == ("Hangzhou", "Hubei")


def test_people_of_one_batch_who_contradict_each_other_go_to_review() -> None:
    results = tell(
        ProfileInput(phone=PHONE),
        ProfileInput(email=A, phone=B_PHONE),
        ProfileInput(phone=PHONE, email=A),
    )
    assert [result.in_review for result in results] == [False, False, True]
    assert results[2].profile_id == results[0].profile_id
    review = JoinReview.objects.get()
    assert {review.profile_id, review.other_id} == {results[0].profile_id, results[1].profile_id}


@pytest.fixture
def review() -> JoinReview:
    person(phone=PHONE, city="Wuhan")
    person(phone=B_PHONE, email=A)
    tell(ProfileInput(phone=PHONE, email=A, birth_date=date(1990, 1, 2)))
    return JoinReview.objects.get()


def test_the_same_question_is_asked_once(review: JoinReview) -> None:
    tell(ProfileInput(phone=PHONE, email=A, city="Beijing"))
    review.refresh_from_db()
    assert (review.inputs, join_reviews.given(review)["city"]) == (2, "Beijing")
    assert JoinReview.objects.count() == 1


def test_staff_find_that_they_are_one_person(review: JoinReview) -> None:
    join_reviews.merge(review=review, actor="user:ann", now=NOW, note="asked by telephone")
    review.refresh_from_db()
    assert (review.state, review.decided_by) == ("merged", "user:ann")
    made = ProfileMerge.objects.get()
    assert (made.cause, made.note, made.survivor) == ("review", "asked by telephone", review.profile)
    with pytest.raises(MergeError, match="was decided before"):
        join_reviews.keep_apart(review=review, actor="user:ann", now=NOW)


def test_staff_find_that_they_are_two_people_and_are_not_asked_again(review: JoinReview) -> None:
    join_reviews.keep_apart(review=review, actor="user:ann", now=NOW)
    (result,) = tell(ProfileInput(phone=PHONE, email=A, city="Beijing"))
    assert (result.profile_id, result.in_review) == (review.profile_id, False)
    assert Profile.objects.get(pk=review.profile_id).city == "Beijing"
    assert JoinReview.objects.get().state == "kept_apart"


def test_a_review_speaks_of_who_the_two_are_when_it_is_decided(review: JoinReview) -> None:
    third = person(wechat="w1", now=NOW - timedelta(days=5))
    merge(third, review.other)
    join_reviews.merge(review=review, actor="user:ann", now=NOW)
    assert Profile.objects.living().get() == third


def test_merged_meanwhile_they_cannot_be_kept_apart(review: JoinReview) -> None:
    made = merge(review.profile, review.other)
    with pytest.raises(MergeError, match="undo that merge"):
        join_reviews.keep_apart(review=review, actor="user:ann", now=NOW)
    undo(made)
    assert join_reviews.keep_apart(review=review, actor="user:ann", now=NOW).state == "kept_apart"


def test_a_join_that_was_undone_is_not_made_again_without_staff() -> None:
    first, second = person(phone=PHONE), person(email=A)
    both = ProfileInput(phone=PHONE, email=A)
    tell(both)
    merging.undo(merge=ProfileMerge.objects.get(), actor="user:ann", now=NOW)
    assert owner("email", second)
    (result,) = tell(replace(both, city="Wuhan"))
    assert (result.profile_id, result.merged, result.in_review) == (first.pk, False, True)
    join_reviews.keep_apart(review=JoinReview.objects.get(), actor="user:ann", now=NOW)
    (result,) = tell(both)
    assert (result.merged, result.in_review) == (False, False)


def test_contradictions_need_the_same_kind_and_scope() -> None:
    first = {("phone", ""), ("external", "shop"), ("email", ""), ("device", "")}
    assert contradictions(first, {("phone", ""), ("external", "shop"), ("email", ""), ("device", "")}) == [
        "phone", "external",
    ]  # fmt: skip
    assert contradictions(first, {("external", "app"), ("email", ""), ("wechat", "")}) == []
