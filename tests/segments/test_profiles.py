"""Creating and updating people, and what stays unreadable."""

from datetime import date, datetime
from typing import Any

import pytest

from compliance import addresses
from compliance.models import AuditLeaf, Subject
from segments.models import Identity, Profile, ProfileStats
from segments.profile_input import InputError, ProfileInput, from_texts
from segments.selectors import profiles as selectors
from segments.services import profiles
from tests.factories.segments import SourceFactory, make_profile

pytestmark = pytest.mark.django_db


def upsert(*inputs: ProfileInput, now: datetime, source: str = "shop") -> list[profiles.ProfileResult]:
    return profiles.upsert_many(source=SourceFactory(key=source), inputs=inputs, actor="test", now=now)


def test_a_new_person_is_whole(now: datetime) -> None:
    given = ProfileInput(
        external_id="C1", email="Li.Wei@Example.com", phone="131 0000 0000", name="Li Wei", gender="female",
        birth_date=date(1990, 2, 28), city="Hangzhou", timezone="Asia/Shanghai", attributes={"income": "50-74K"},
    )  # fmt: skip
    (result,) = upsert(given, now=now)
    profile = Profile.objects.get(pk=result.profile_id)
    assert result.created
    assert (profile.gender, profile.city, profile.attributes) == ("female", "Hangzhou", {"income": "50-74K"})
    assert ProfileStats.objects.filter(profile=profile).exists()
    contact = selectors.names_and_addresses([profile.pk], "email")[profile.pk]
    assert (contact.name, contact.address) == ("Li Wei", "li.wei@example.com")
    assert selectors.names_and_addresses([profile.pk], "phone")[profile.pk].address == "+8613100000000"


def test_names_and_addresses_are_not_readable_in_the_tables(now: datetime) -> None:
    make_profile(1, name="Li Wei", email="li.wei@example.com")
    stored = [bytes(Profile.objects.get().name_encrypted or b"")]
    stored += [bytes(blob) for blob in Identity.objects.values_list("value_encrypted", flat=True)]
    assert not [blob for blob in stored if b"Li Wei" in blob or b"example.com" in blob]


def test_the_digest_of_an_address_is_the_one_suppressions_use(now: datetime) -> None:
    profile = make_profile(1, email="li.wei@example.com")
    digest = profile.identities.get(kind="email").digest
    assert bytes(digest) == addresses.digest("email", "li.wei@example.com")


def test_without_the_subjects_key_nothing_can_be_read(now: datetime) -> None:
    profile = make_profile(1)
    Subject.objects.filter(pk=profile.pk).update(wrapped_key=None, erased_at=now)
    assert selectors.names_and_addresses([profile.pk], "email") == {}


def test_a_known_person_is_updated_and_left_out_fields_stay(now: datetime) -> None:
    profile = make_profile(1, city="Hangzhou", attributes={"a": 1, "b": 2})
    (result,) = upsert(ProfileInput(external_id="C1", region="Zhejiang", attributes={"b": 3}), now=now)
    profile.refresh_from_db()
    assert (result.profile_id, result.created) == (profile.pk, False)
    assert (profile.city, profile.region, profile.attributes) == ("Hangzhou", "Zhejiang", {"a": 1, "b": 3})
    assert selectors.names_and_addresses([profile.pk], "email")[profile.pk].name == "Person 1"
    assert profile.updated_at == now


def test_saying_the_same_again_changes_nothing(now: datetime) -> None:
    profile = make_profile(1, city="Hangzhou")
    before = profile.updated_at
    same = ProfileInput(external_id="C1", email="person-1@example.com", name="Person 1", city="Hangzhou")
    upsert(same, now=now)
    profile.refresh_from_db()
    assert profile.updated_at == before
    assert profile.identities.count() == 2


def test_any_identifier_recognises_a_person(now: datetime) -> None:
    profile = make_profile(1, phone="131 0000 0000")
    (by_phone,) = upsert(ProfileInput(phone="+86 13100000000", device="D1"), now=now)
    (by_device,) = upsert(ProfileInput(device="D1"), now=now)
    assert by_phone.profile_id == by_device.profile_id == profile.pk


def test_a_customer_number_counts_within_its_source(now: datetime) -> None:
    (here,) = upsert(ProfileInput(external_id="7"), now=now)
    (there,) = upsert(ProfileInput(external_id="7"), now=now, source="app")
    assert here.profile_id != there.profile_id
    found = selectors.find_by_identifier("external_id", "7", SourceFactory(key="app"))
    assert found is not None
    assert found.pk == there.profile_id


def test_rows_of_one_batch_that_share_an_identifier_are_one_person(now: datetime) -> None:
    first, second = upsert(
        ProfileInput(external_id="1", email="a@example.com"), ProfileInput(email="a@example.com", city="Wuhan"), now=now
    )
    assert first.profile_id == second.profile_id
    assert Profile.objects.get().city == "Wuhan"


def test_a_new_address_becomes_the_one_to_write_to(now: datetime) -> None:
    profile = make_profile(1)
    upsert(ProfileInput(external_id="C1", email="new@example.com"), now=now)
    assert selectors.names_and_addresses([profile.pk], "email")[profile.pk].address == "new@example.com"
    assert profile.identities.filter(kind="email").count() == 2


def test_addresses_change_for_many_at_once_and_for_them_alone(now: datetime) -> None:
    people = [make_profile(number) for number in range(3)]
    upsert(*[ProfileInput(external_id=f"C{number}", email=f"new-{number}@example.com") for number in (0, 1)], now=now)
    found = selectors.names_and_addresses([person.pk for person in people], "email")
    assert [found[person.pk].address for person in people] == [
        "new-0@example.com", "new-1@example.com", "person-2@example.com",
    ]  # fmt: skip


def test_gaps_in_data_frames_say_nothing() -> None:
    given = from_texts({"external_id": 7.0, "city": float("nan"), "attributes.kids": float("nan")})
    assert given == ProfileInput(external_id="7")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "external_id"),
        ({"email": "nobody"}, "email"),
        ({"phone": "12"}, "phone"),
        ({"external_id": "1", "gender": "f"}, "gender"),
        ({"external_id": "1", "country": "China"}, "country"),
        ({"external_id": "1", "language": "chinese!"}, "language"),
        ({"external_id": "1", "timezone": "Mars/Olympus"}, "timezone"),
        ({"external_id": "1", "birth_date": date(2199, 1, 1)}, "birth_date"),
        ({"external_id": "1", "name": "x" * 121}, "name"),
        ({"external_id": "1", "city": "a\x00b"}, "city"),
        ({"external_id": "1", "attributes": {"bad key": 1}}, "attributes.bad key"),
        ({"external_id": "1", "attributes": {"a": ["\x00"]}}, "attributes.a"),
    ],
)
def test_wrong_fields_are_named_and_the_rest_is_taken(fields: dict[str, Any], field: str, now: datetime) -> None:
    bad, good = upsert(ProfileInput(**fields), ProfileInput(external_id="good"), now=now)
    assert (bad.profile_id, bad.field) == (None, field)
    assert bad.reason
    assert good.profile_id is not None


def test_one_leaf_tells_of_the_whole_call(now: datetime) -> None:
    upsert(ProfileInput(external_id="1"), ProfileInput(external_id="2"), ProfileInput(), now=now)
    leaf = AuditLeaf.objects.get(action="profiles.upserted")
    assert b'"created":2' in bytes(leaf.data)
    assert b'"refused":1' in bytes(leaf.data)


def test_cells_of_a_file_become_fields() -> None:
    given = from_texts({"external_id": 7, "birth_date": "1990-12-31", "city": "", "attributes.kids": 2})
    assert given == ProfileInput(external_id="7", birth_date=date(1990, 12, 31), attributes={"kids": 2})
    with pytest.raises(InputError, match="birth_date"):
        from_texts({"external_id": "7", "birth_date": "31.12.1990"})
