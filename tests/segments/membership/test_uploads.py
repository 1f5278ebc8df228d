"""Lists of people: whom they name, what becomes of the others, and what a worker does with a file."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from django.core.exceptions import ValidationError

from compliance.models import AuditLeaf
from segments.models import ImportJob, ImportState, Profile, RejectedRow, Segment, SegmentUpload
from segments.services import imports, segment_lists, segment_uploads
from segments.services.segment_lists import Named
from tests.factories.segments import SourceFactory, make_profile
from tests.segments.identity.stage import merge
from tests.segments.membership.stage import ACTOR, NOW, create, history, listed, members, take_in

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)


def receive(
    segment: Segment, content: bytes, name: str = "list.csv", *, identifier: str = "email", column: str = "",
    mode: str = "add",
) -> ImportJob:  # fmt: skip
    return segment_uploads.receive(
        segment=segment, content=content, file_name=name, identifier=identifier, column=column, mode=mode,
        source=SourceFactory(), actor=ACTOR, now=NOW,
    )  # fmt: skip


def work(job: ImportJob) -> ImportJob:
    assert segment_uploads.take_in_waiting(now=LATER, actor="system") == 1
    job.refresh_from_db()
    return job


@pytest.mark.parametrize(
    ("mode", "expected", "counts"),
    [("add", {0, 1, 2}, (1, 0, 3)), ("replace", {1, 2}, (1, 1, 2)), ("remove", {0}, (0, 1, 1))],
)
def test_people_are_added_replaced_and_removed(mode: str, expected: set[int], counts: tuple[int, int, int]) -> None:
    people = [make_profile(number) for number in range(3)]
    segment = listed("friends", *people[:2])
    result = take_in(segment, *people[1:], mode=mode, now=LATER)
    assert (result.entered, result.left, result.members) == counts
    assert members(segment) == {people[number].pk for number in expected}
    assert {row[2] for row in history(segment)} == {"upload"}
    segment.refresh_from_db()
    assert (segment.member_count, segment.refreshed_at) == (counts[2], LATER)
    assert take_in(segment, *people[1:], mode=mode, now=LATER).entered == 0, "the same list again changes nothing"


def test_each_entry_has_a_result_and_the_good_ones_count() -> None:
    person = make_profile(1, phone="+8613800000001")
    named = [
        Named("email", "Person-1@Example.com"), Named("phone", "13800000001"), Named("email", "nobody@example.com"),
        Named("email", "no address"), Named("uid", "no id"), Named("external_id", "C1"), Named("email", ""),
    ]  # fmt: skip
    segment = listed()
    result, outcomes = segment_lists.take_in(
        segment=segment, people=named, mode="add", source=SourceFactory(), actor=ACTOR, now=NOW
    )
    statuses = [outcome.status for outcome in outcomes]
    assert statuses == ["accepted", "duplicate", "rejected", "rejected", "rejected", "duplicate", "rejected"]
    assert all(outcome.field and outcome.reason for outcome in outcomes if outcome.status == "rejected")
    assert (result.entered, members(segment)) == (1, {person.pk})


def test_a_public_id_of_before_a_merge_leads_to_the_survivor() -> None:
    survivor, absorbed = make_profile(1), make_profile(2)
    merge(survivor, absorbed, now=NOW)
    segment = listed("friends", absorbed)
    assert members(segment) == {survivor.pk}


def test_only_lists_take_people() -> None:
    with pytest.raises(ValidationError) as caught:
        take_in(create(), make_profile(1))
    assert list(caught.value.message_dict) == ["segment"]


def _parquet(tmp_path: Path) -> bytes:
    path = tmp_path / "list.parquet"
    pq.write_table(pa.table({"mail": ["person-1@example.com", "nobody@example.com"]}), path)
    return path.read_bytes()


def _xlsx(tmp_path: Path) -> bytes:
    path = tmp_path / "list.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet().write_column("A1", ["mail", "person-1@example.com", "nobody@example.com"])
    return path.read_bytes()


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_a_file_is_taken_in_by_a_worker(tmp_path: Path, ending: str) -> None:
    person = make_profile(1)
    contents = {
        "csv": lambda _: b"mail\nperson-1@example.com\nnobody@example.com\n", "parquet": _parquet, "xlsx": _xlsx,
    }  # fmt: skip
    segment = listed()
    job = receive(segment, contents[ending](tmp_path), f"list.{ending}")
    assert (job.state, job.rows_total, members(segment)) == (ImportState.WAITING, 2, set())
    assert b"example.com" not in bytes(job.upload.file_encrypted)
    job = work(job)
    assert (job.state, job.accepted, job.rejected, job.rows_done) == (ImportState.FINISHED, 1, 1, 2)
    assert members(segment) == {person.pk}
    upload = SegmentUpload.objects.get(job=job)
    assert (upload.entered, upload.left, bytes(upload.file_encrypted)) == (1, 0, b"")
    rejected = RejectedRow.objects.get(job=job)
    assert (rejected.row_number, rejected.field) == (2, "email")
    assert imports.rejected_row(rejected) == {"mail": "nobody@example.com"}
    actions = AuditLeaf.objects.filter(object_id=str(segment.uid)).values_list("action", flat=True)
    assert set(actions) == {"segment.created", "segment.list_uploaded", "segment.members_changed"}
    assert segment_uploads.take_in_waiting(now=LATER, actor="system") == 0


def test_the_same_file_counts_again_since_members_may_have_changed() -> None:
    person = make_profile(1)
    segment, content = listed(), b"email\nperson-1@example.com\n"
    work(receive(segment, content))
    take_in(segment, person, mode="remove")
    work(receive(segment, content))
    assert members(segment) == {person.pk}


def test_a_list_whose_worker_died_is_read_again_from_its_beginning() -> None:
    make_profile(1)
    segment = listed()
    job = receive(segment, b"email\nperson-1@example.com\nnobody@example.com\n")
    ImportJob.objects.filter(pk=job.pk).update(state="running", rows_done=1, rejected=1)
    RejectedRow.objects.create(job=job, row_number=2, field="email", reason="x", row_encrypted=b"x")
    job = work(job)
    assert (job.state, job.accepted, job.rejected) == (ImportState.FINISHED, 1, 1)


def test_a_list_that_fails_tells_why_and_changes_nobody() -> None:
    person = make_profile(1)
    segment = listed("friends", person)
    job = receive(segment, b"email\nperson-1@example.com\n", mode="replace")
    ImportJob.objects.filter(pk=job.pk).update(mapping={"email": "gone"})
    job = work(job)
    assert (job.state, bool(job.error)) == (ImportState.FAILED, True)
    assert members(segment) == {person.pk}
    assert bytes(SegmentUpload.objects.get(job=job).file_encrypted) == b""


def test_a_list_that_cannot_be_decrypted_does_not_hold_up_the_next() -> None:
    person = make_profile(1)
    segment = listed()
    first, second = (receive(segment, b"email\nperson-1@example.com\n") for _ in range(2))
    SegmentUpload.objects.filter(job=first).update(file_encrypted=b"x")
    assert segment_uploads.take_in_waiting(now=LATER, actor="system") == 2
    states = ImportJob.objects.in_bulk([first.pk, second.pk])
    assert (states[first.pk].state, states[second.pk].state) == (ImportState.FAILED, ImportState.FINISHED)
    assert members(segment) == {person.pk}


@pytest.mark.parametrize(
    ("content", "name", "given", "field"),
    [
        (b"", "list.csv", {}, "file"),
        (b"email\n", "list.txt", {}, "file"),
        (b"nonsense", "list.xlsx", {}, "file"),
        (b"mail,name\na,b\n", "list.csv", {}, "column"),
        (b"mail,name\na,b\n", "list.csv", {"column": "phone"}, "column"),
        (b"email\n", "list.csv", {"identifier": "shoe size"}, "identifier"),
        (b"email\n", "list.csv", {"mode": "swap"}, "mode"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_field(
    content: bytes, name: str, given: dict[str, str], field: str
) -> None:
    segment = listed()
    with pytest.raises(ValidationError) as caught:
        receive(segment, content, name, **given)
    assert list(caught.value.message_dict) == [field]
    assert not ImportJob.objects.exists()


def test_a_file_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_uploads, "MAX_BYTES", 10)
    with pytest.raises(ValidationError, match="larger"):
        receive(listed(), b"email\nperson-1@example.com\n")


def test_a_malformed_row_is_rejected_and_the_others_count() -> None:
    person = make_profile(1)
    segment = listed()
    job = work(receive(segment, b"email,x\nperson-1@example.com,1\na,b,c\n,2\nperson-1@example.com,3\n"))
    assert (job.accepted, job.rejected, job.duplicates) == (1, 2, 1)
    assert members(segment) == {person.pk}
    assert Profile.objects.count() == 1
