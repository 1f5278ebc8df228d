"""The pages of segments: kinds, lists, versions, history, and the page of a person."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from config import roles
from segments.models import Profile, Segment, SegmentUpload, SegmentVersion
from segments.services import segment_uploads, segments
from tests.factories.campaigns import UserFactory
from tests.factories.segments import SourceFactory, make_profile
from tests.segments.membership.stage import ACTOR, BEIJING, NOW, SHANGHAI, create, listed, members, move, take_in

pytestmark = pytest.mark.django_db
NO_UPLOADS = {"uploads-TOTAL_FORMS": "0", "uploads-INITIAL_FORMS": "0"}


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("anna", "anna@example.com", "x"))
    return client


def of_role(role: str) -> Client:
    roles.apply_roles()
    user = UserFactory(username=role.lower())
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def url(page: str, segment: Segment) -> str:
    return reverse(f"admin:segments_segment_{page}", args=[segment.pk])


def text(answer: Any) -> str:
    assert answer.status_code == 200
    return str(answer.content.decode())


@pytest.mark.parametrize(("kind", "definition"), [("snapshot", SHANGHAI), ("uploaded", {}), ("dynamic", SHANGHAI)])
def test_segments_of_each_kind_are_made(client: Client, kind: str, definition: Any) -> None:
    make_profile(1, city="Shanghai")
    form = {"key": "here", "name": "Here", "kind": kind, "is_active": "on", "definition": json.dumps(SHANGHAI)}
    answer = client.post(reverse("admin:segments_segment_add"), form)
    assert answer.status_code == 302, answer.context["errors"]
    made = Segment.objects.get()
    assert (made.kind, made.definition, made.member_count) == (kind, definition, int(kind == "snapshot"))
    page = text(client.get(url("change", made)))
    assert ('name="definition"' in page) == (kind != "uploaded")
    assert ("Upload members" in page) == (kind == "uploaded")
    assert ("Take a snapshot" in page) == (kind == "snapshot")
    assert ("Refresh now" in page) == (kind == "dynamic")
    assert ("Compare versions" in page) == (kind != "uploaded")
    page = text(client.get(reverse("admin:segments_segment_changelist") + f"?kind__exact={kind}"))
    assert "Here" in page


def test_details_of_a_list_are_changed_without_a_rule(client: Client) -> None:
    segment = listed()
    form = {"name": "Others", "description": "x", "is_active": "on", **NO_UPLOADS}
    answer = client.post(url("change", segment), form)
    assert answer.status_code == 302, answer.context["errors"]
    segment.refresh_from_db()
    assert (segment.name, segment.definition, segment.version) == ("Others", {}, 1)


def test_a_snapshot_is_taken_from_its_page(client: Client) -> None:
    person = make_profile(1, city="Beijing")
    segment = create(kind="snapshot")
    move(person, "Shanghai")
    answer = client.post(url("take_snapshot", segment), {"_form_submitted": "on"})
    assert answer.status_code in {200, 302}
    assert members(segment) == {person.pk}
    assert client.post(url("refresh_now", segment), {"_form_submitted": "on"}).status_code == 403


def upload(client: Client, segment: Segment, **given: Any) -> Any:
    form = {"mode": "add", "identifier": "email", "source": SourceFactory().pk, "column": "", "pasted": "", **given}
    return client.post(url("upload_members", segment), form)


def test_a_pasted_list_is_taken_in_and_its_outcome_shown(client: Client) -> None:
    person = make_profile(1)
    segment = listed()
    assert "Rows that name nobody" in text(client.get(url("upload_members", segment)))
    assert upload(client, segment, pasted="person-1@example.com\n\nnobody@example.com").status_code == 302
    assert "Waiting" in text(client.get(url("change", segment)))
    segment_uploads.take_in_waiting(now=NOW, actor="system")
    page = text(client.get(url("change", segment)))
    job = SegmentUpload.objects.get().job
    assert f"rejectedrow/?job__id__exact={job.pk}" in page
    assert (members(segment), job.rejected) == ({person.pk}, 1)
    assert "nobody@example.com" not in page


def test_a_file_is_uploaded(client: Client) -> None:
    person = make_profile(1)
    segment = listed()
    file = SimpleUploadedFile("people.csv", b"no,mail\n1,person-1@example.com\n")
    assert upload(client, segment, file=file, column="mail").status_code == 302
    segment_uploads.take_in_waiting(now=NOW, actor="system")
    assert members(segment) == {person.pk}


def test_what_is_wrong_with_an_upload_is_named(client: Client) -> None:
    segment = listed()
    file = SimpleUploadedFile("people.csv", b"no,mail\n1,a@example.com\n")
    answer = upload(client, segment, file=file)
    assert list(answer.context["form"].errors) == ["column"]
    answer = upload(client, segment)
    assert list(answer.context["form"].errors) == ["file"]
    answer = upload(client, segment, file=SimpleUploadedFile("people.txt", b"x"))
    assert list(answer.context["form"].errors) == ["file"]
    assert not SegmentUpload.objects.exists()


def test_only_who_may_uploads_and_only_to_lists(client: Client) -> None:
    assert client.get(url("upload_members", create())).status_code == 403
    segment = listed()
    assert of_role("Auditor").get(url("upload_members", segment)).status_code == 403
    assert of_role("Marketing").get(url("upload_members", segment)).status_code == 200


def two_versions() -> Segment:
    segment = create("here", {"all": [SHANGHAI]})
    return segments.change_definition(segment=segment, definition={"all": [BEIJING]}, actor=ACTOR, now=NOW)


def test_two_versions_are_compared_and_one_is_restored(client: Client) -> None:
    segment = two_versions()
    page = text(client.get(url("compare_versions", segment)))
    assert "/all/0" in page
    assert "Restore version 1" in page
    assert "There is no difference." in text(client.get(url("compare_versions", segment), {"old": 2, "new": 2}))
    first = SegmentVersion.objects.get(segment=segment, version=1)
    assert client.post(url("compare_versions", segment), {"restore": first.pk}).status_code == 302
    segment.refresh_from_db()
    assert (segment.version, segment.definition) == (3, {"all": [SHANGHAI]})
    assert segment.versions.get(version=3).created_by is not None


def test_an_auditor_compares_and_does_not_restore() -> None:
    segment = two_versions()
    auditor = of_role("Auditor")
    assert "Restore version" not in text(auditor.get(url("compare_versions", segment)))
    first = SegmentVersion.objects.get(segment=segment, version=1)
    assert auditor.post(url("compare_versions", segment), {"restore": first.pk}).status_code == 403
    segment.refresh_from_db()
    assert segment.version == 2


def test_a_version_of_another_segment_is_not_restored(client: Client) -> None:
    segment, other = two_versions(), create("other")
    foreign = SegmentVersion.objects.get(segment=other)
    assert client.post(url("compare_versions", segment), {"restore": foreign.pk}).status_code == 404


def test_the_history_is_filtered_and_people_are_masked(client: Client) -> None:
    person, other = make_profile(1), make_profile(2)
    segment = listed("friends", person, other)
    take_in(segment, other, mode="remove")
    segments.refresh(segment=create("all", {"all": []}), now=NOW, actor=ACTOR)
    answer = client.get(url("show_history", segment))
    page = text(client.get(answer.headers["Location"]))
    assert page.count("P***") == 3
    assert "Person 1" not in page
    listing = reverse("admin:segments_segmentchange_changelist")
    counts = {
        "kind__exact=left": 1, "cause=upload": 3, "cause=definition": 2, "cause=event:": 0, "cause=other": 0,
        "at_from=2026-03-02&at_to=2026-03-02": 5, "at_from=2026-03-03": 0, "at_to=2026-03-01": 0, "at_from=never": 5,
    }  # fmt: skip
    for query, count in counts.items():
        assert text(client.get(f"{listing}?{query}")).count("P***") == count, query


def test_support_sees_the_history_and_the_administrator_does_not() -> None:
    listed("friends", make_profile(1))
    listing = reverse("admin:segments_segmentchange_changelist")
    assert of_role("Support").get(listing).status_code == 200
    assert of_role("Administrator").get(listing).status_code == 403


def test_the_page_of_a_person_tells_segments_and_why(client: Client) -> None:
    person = make_profile(1, city="Shanghai")
    here = create("here", {"all": [SHANGHAI, {"none": [BEIJING]}]})
    segments.refresh(segment=here, now=NOW, actor=ACTOR)
    listed("friends", person)
    page = text(client.get(reverse("admin:segments_profile_change", args=[person.pk])))
    for words in ("Friends", "uploaded list", "new rule", "/all/1/none/0", "✓", "✗", "Entered"):
        assert words in page, words
    nobody = Profile.objects.exclude(pk=person.pk).first() or make_profile(2)
    assert "In no segment." in text(client.get(reverse("admin:segments_profile_change", args=[nobody.pk])))
