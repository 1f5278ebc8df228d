"""A merge keeps both histories; undone at once it leaves no trace but the log."""

import io
import json
import zipfile
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from compliance.models import AuditLeaf, Subject
from compliance.services import subject_requests
from segments.models import (
    Event,
    JoinReview,
    MergedEvent,
    Profile,
    ProfileMerge,
    ProfileStats,
    ProfileTag,
    SegmentMembership,
    Touch,
)
from segments.profile_input import ProfileInput
from segments.rules import parse
from segments.selectors import profiles as selectors
from segments.selectors import segments as segment_selectors
from segments.services import merging, segments
from segments.services.merging import MergeError
from tests.factories.segments import SegmentFactory, SourceFactory, TagFactory
from tests.segments.identity.stage import NOON, NOW, bought, counted, merge, person, recounted, tell, undo, world

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def first() -> Profile:
    return person(external_id="C1", email="one@example.com", city="Wuhan", attributes={"a": 1, "b": 1})


@pytest.fixture
def second() -> Profile:
    return person(
        external_id="C2", phone="+8613100000002", email="two@example.com", name="Li", city="Hangzhou", gender="female",
        attributes={"b": 2, "c": 2},
    )  # fmt: skip


def carry(profile: Profile, key: str, **changes: Any) -> ProfileTag:
    given = {"source": "test", "assigned_at": NOON} | changes
    return ProfileTag.objects.create(profile=profile, tag=TagFactory(key=key), **given)


def test_values_of_the_survivor_win_and_gaps_are_filled(first: Profile, second: Profile) -> None:
    merge(first, second)
    first.refresh_from_db()
    assert (first.city, first.gender, first.attributes) == ("Wuhan", "female", {"a": 1, "b": 1, "c": 2})
    assert selectors.names_and_addresses([first.pk], "email")[first.pk].name == "Li"
    second.refresh_from_db()
    assert (second.city, second.gender, second.attributes, second.name_encrypted) == ("", "", {}, None)
    assert second.merged_into == first


def test_identifiers_go_over_and_the_survivors_address_stays_the_one_to_write_to(
    first: Profile, second: Profile
) -> None:
    made = merge(first, second)
    assert made.identities_moved == 3
    assert not second.identities.exists()
    assert selectors.names_and_addresses([first.pk], "email")[first.pk].address == "one@example.com"
    assert selectors.names_and_addresses([first.pk], "phone")[first.pk].address == "+8613100000002"
    found = selectors.find_by_identifier("email", "two@example.com")
    assert found == first


def test_events_go_over_once_and_are_counted_anew(first: Profile, second: Profile) -> None:
    bought("C1", "shared")
    bought("C2", "shared")
    bought("C2", "own")
    bought("C2", "later", occurred_at=NOON + timedelta(hours=1))
    made = merge(first, second)
    assert made.events_moved == 2
    assert Event.objects.filter(profile=first).count() == 3
    assert not Event.objects.filter(profile=second).exists()
    stats = ProfileStats.objects.get(profile=first)
    assert (stats.event_count, stats.order_count, stats.order_amount) == (3, 2, Decimal("30.00"))
    assert counted() == recounted()


def test_tags_and_frozen_memberships_go_over_where_the_survivor_has_none(first: Profile, second: Profile) -> None:
    carry(first, "vip", source="mine")
    carry(second, "vip", source="theirs")
    carry(second, "new")
    both, theirs = (SegmentFactory(is_active=False, member_count=count) for count in (2, 1))
    for segment, profile in [(both, first), (both, second), (theirs, second)]:
        SegmentMembership.objects.create(segment=segment, profile=profile, entered_at=NOON)
    merge(first, second)
    assert set(first.tags.values_list("tag__key", "source")) == {("vip", "mine"), ("new", "test")}
    assert set(first.memberships.values_list("segment", flat=True)) == {both.pk, theirs.pk}
    assert not second.tags.exists()
    assert not second.memberships.exists()
    both.refresh_from_db()
    assert both.member_count == 1


def test_undone_at_once_everything_is_as_it_was(first: Profile, second: Profile) -> None:
    for name, event_id in [("C1", "shared"), ("C2", "shared"), ("C2", "own")]:
        bought(name, event_id)
    for profile, key in [(first, "vip"), (second, "vip"), (second, "new")]:
        carry(profile, key)
    segment = SegmentFactory(is_active=False, member_count=2)
    for profile in (first, second):
        SegmentMembership.objects.create(segment=segment, profile=profile, entered_at=NOON)
    ProfileStats.objects.filter(profile=second).update(
        rfm_recency=5, rfm_frequency=4, rfm_monetary=3, rfm_at=NOON
    )  # fmt: skip
    before = world()
    made = merge(first, second)
    assert ProfileStats.objects.get(profile=first).rfm_frequency == 4
    undo(made)
    assert world() == before
    segment.refresh_from_db()
    assert segment.member_count == 2
    made.refresh_from_db()
    assert (made.undone_by, bytes(made.snapshot_encrypted)) == ("user:bob", b"")
    assert not MergedEvent.objects.exists()


def test_what_came_after_the_merge_stays_with_the_survivor(first: Profile, second: Profile) -> None:
    bought("C2", "before")
    made = merge(first, second)
    assert bought("C2", "before") == "duplicate"
    bought("C2", "after", occurred_at=NOON + timedelta(hours=1))
    tell(ProfileInput(external_id="C2", email="new@example.com", gender="male", attributes={"c": 3}))
    undo(made)
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.gender, first.attributes) == ("male", {"a": 1, "b": 1, "c": 3})
    assert (second.gender, second.attributes) == ("female", {"b": 2, "c": 2})
    assert counted() == recounted()
    assert Event.objects.filter(profile=first).count() == Event.objects.filter(profile=second).count() == 1
    assert selectors.names_and_addresses([first.pk], "email")[first.pk].address == "new@example.com"
    assert selectors.names_and_addresses([second.pk], "email")[second.pk].address == "two@example.com"


def test_an_address_is_promoted_when_the_primary_one_goes_back(second: Profile) -> None:
    survivor = person(external_id="C9")
    made = merge(survivor, second)
    tell(ProfileInput(external_id="C9", email="two@example.com"))
    tell(ProfileInput(external_id="C9", email="new@example.com"))
    undo(made)
    found = selectors.names_and_addresses([survivor.pk, second.pk], "email")
    assert {pk: contact.address for pk, contact in found.items()} == {
        survivor.pk: "new@example.com", second.pk: "two@example.com",
    }  # fmt: skip


def test_merges_are_undone_newest_first(first: Profile, second: Profile) -> None:
    third = person(wechat="w3")
    before = world()
    one, two = merge(first, second), merge(third, first)
    second.refresh_from_db()
    assert second.merged_into == third
    with pytest.raises(MergeError, match=str(two.uid)):
        undo(one)
    undo(two)
    second.refresh_from_db()
    assert second.merged_into == first
    undo(one)
    assert world() == before
    with pytest.raises(MergeError, match="was undone before"):
        undo(one)


def test_of_two_merges_into_one_survivor_the_later_is_undone_first(first: Profile, second: Profile) -> None:
    third = person(wechat="w3", language="zh")
    one, two = merge(first, second), merge(first, third)
    with pytest.raises(MergeError, match="undo the later merge"):
        undo(one)
    undo(two)
    undo(one)
    assert not Profile.objects.filter(merged_into__isnull=False).exists()


def test_who_is_merged_is_in_no_rule_count_or_segment(first: Profile, second: Profile) -> None:
    everybody = {"all": []}
    segment = SegmentFactory(definition=everybody)
    segments.refresh(segment=segment, now=NOW, actor="test")
    merge(first, second)
    assert set(parse(everybody).queryset(NOW)) == {first.pk}
    never_bought = parse({"none": [{"event": "purchase", "op": "gte", "value": 1}]})
    assert not never_bought.queryset(NOW, only=[second.pk]).exists()
    assert segment_selectors.count(everybody, NOW) == 1
    assert [member.profile_id for member in segment_selectors.members_after(segment)] == [first.pk]
    assert not Profile.objects.living().filter(pk=second.pk).exists()


def test_an_old_public_id_leads_to_the_survivor(first: Profile, second: Profile) -> None:
    third = person(wechat="w3")
    merge(first, second)
    merge(third, first)
    assert selectors.current_id(second.subject.uid) == selectors.current_id(third.subject.uid) == third.pk
    assert bought("", "by uid", identifier="", uid=second.subject.uid) == "accepted"
    assert ProfileStats.objects.get(profile=third).event_count == 1


@pytest.mark.parametrize(
    ("names", "field", "reason"),
    [
        (("first", "first"), "absorb", "is the same profile"),
        (("first", "gone"), "absorb", "merged into another"),
        (("gone", "first"), "profile", "merged into another"),
        (("first", "nobody"), "absorb", "no such profile"),
        (("first", "erased"), "absorb", "was erased"),
    ],
)
def test_what_cannot_be_merged_is_named(
    names: tuple[str, str], field: str, reason: str, first: Profile, second: Profile
) -> None:
    erased, third = person(wechat="w4"), person(wechat="w3")
    merge(third, second)
    Subject.objects.filter(pk=erased.pk).update(wrapped_key=None, erased_at=NOW)
    people = {"first": first.pk, "gone": second.pk, "nobody": 0, "erased": erased.pk}
    with pytest.raises(MergeError, match=reason) as error:
        merging.merge(
            survivor_id=people[names[0]], absorbed_id=people[names[1]], cause="staff", actor="test", now=NOW
        )  # fmt: skip
    assert error.value.field == field


def test_a_note_that_is_too_long_is_refused(first: Profile, second: Profile) -> None:
    with pytest.raises(MergeError, match="note"):
        merge(first, second, note="x" * 241)


def test_both_are_touched_and_the_log_tells_of_it(first: Profile, second: Profile) -> None:
    Touch.objects.all().delete()
    made = merge(first, second, note="same letter")
    assert set(Touch.objects.values_list("profile", "cause")) == {(first.pk, "identity"), (second.pk, "identity")}
    assert AuditLeaf.objects.get(action="profile.merged").actor == "user:ann"
    undo(made, note="two people after all")
    assert Touch.objects.count() == 4
    leaf = AuditLeaf.objects.get(action="profile.merge_undone")
    assert (leaf.object_id, leaf.actor) == (str(made.uid), "user:bob")
    made.refresh_from_db()
    assert (made.note, made.undone_note) == ("same letter", "two people after all")


def test_the_snapshot_is_not_readable_without_the_survivors_key(first: Profile, second: Profile) -> None:
    made = merge(first, second)
    assert b"Hangzhou" not in bytes(made.snapshot_encrypted)
    Subject.objects.filter(pk=first.pk).update(wrapped_key=None, erased_at=NOW)
    with pytest.raises(MergeError, match="was erased"):
        undo(made)


@pytest.mark.parametrize("asked", [0, 1])
def test_access_and_erasure_reach_the_whole_person(first: Profile, second: Profile, asked: int) -> None:
    bought("C2")
    merge(first, second)
    subject = Subject.objects.get(pk=(first.pk, second.pk)[asked])
    requests = [
        subject_requests.confirm_identity(
            request=subject_requests.receive(subject=subject, kind=kind, source="letter", actor="test", now=NOW),
            how="called back", actor="test", now=NOW,
        )
        for kind in ("access", "erasure")
    ]  # fmt: skip
    package = subject_requests.package(request=requests[0], actor="test", now=NOW)
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        held = {name: json.loads(archive.read(f"{name}.json")) for name in ("identifiers", "events", "merges")}
    assert {row["value"] for row in held["identifiers"]} >= {"one@example.com", "two@example.com"}
    assert (len(held["events"]), len(held["merges"])) == (1, 1)
    subject_requests.erase(request=requests[1], actor="test", now=NOW)
    assert not Subject.objects.filter(pk__in=[first.pk, second.pk], erased_at__isnull=True).exists()
    assert not Event.objects.exists()
    assert not ProfileMerge.objects.exists()
    assert not Profile.objects.exists()


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        (lambda one, two: Profile.objects.filter(pk=one.pk).update(merged_into=one), "profile_not_merged_into_itself"),
        (
            lambda one, two: Subject.objects.filter(pk=one.pk).update(merged_into=one.pk),
            "subject_not_merged_into_itself",
        ),
        (lambda one, two: _log(one, one), "merge_of_two_profiles"),
        (lambda one, two: [_log(one, two), _log(one, two)], "merge_absorbs_once"),
        (lambda one, two: _log(one, two, undone_at=NOW), "merge_undone_by_someone"),
        (lambda one, two: [_moved(_log(one, two)) for _ in range(2)], "merge_absorbs_once"),
        (lambda one, two: [_moved(made) for made in [_log(one, two)] * 2], "merged_event_once"),
        (lambda one, two: _review(one, one), "join_review_of_two_profiles"),
        (lambda one, two: [_review(one, two), _review(two, one)], "join_review_once_while_open"),
        (lambda one, two: _review(one, two, state="merged"), "join_review_decided_iff_not_open"),
    ],
)
def test_the_database_holds_the_rules(change: Any, constraint: str, first: Profile, second: Profile) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        change(first, second)


def _into_itself(model: type[Profile] | type[Subject], pk: int) -> None:
    model.objects.filter(pk=pk).update(merged_into=pk)


def _log(one: Profile, two: Profile, **changes: Any) -> ProfileMerge:
    given = {"cause": "staff", "snapshot_encrypted": b"", "merged_at": NOW, "merged_by": "test"} | changes
    return ProfileMerge.objects.create(survivor=one, absorbed=two, **given)


def _moved(made: ProfileMerge) -> MergedEvent:
    return MergedEvent.objects.create(merge=made, occurred_at=NOON, dedup="0" * 32)


def _review(one: Profile, two: Profile, **changes: Any) -> JoinReview:
    return JoinReview.objects.create(
        profile=one, other=two, source=SourceFactory(), shared_kinds=["email"], contradicting_kinds=["phone"],
        input_encrypted=b"", created_at=NOW, last_at=NOW, **changes,
    )  # fmt: skip
