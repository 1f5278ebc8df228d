"""Files: nothing is lost, nothing is taken twice, an interruption costs one batch at most."""

from collections.abc import Callable
from datetime import datetime
from io import StringIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from compliance.models import AuditLeaf
from segments.imports.mapping import MappingError, complete, parse
from segments.models import Event, ImportJob, ImportKind, ImportState, ProfileStats, RejectedRow
from segments.profile_input import InputError
from segments.selectors.profiles import find_by_identifier
from segments.services import imports
from tests.factories.campaigns import UserFactory
from tests.factories.segments import SourceFactory, make_profile
from tests.segments.files import MAPPING, import_events, orders, write

pytestmark = pytest.mark.django_db


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "EVENT_BATCH", 10)
    monkeypatch.setattr(imports, "PROFILE_BATCH", 10)


def test_people_from_csv(tmp_path: Path, now: datetime) -> None:
    text = (
        "\ufeffcustomer,mail,城市\n"
        'C1,li@example.com,"杭州, 西湖"\n'
        "\n"
        "C2,nobody,上海\n"
        "C3,wang@example.com\n"
        ",,\n"
        "C4,zhao@example.com,武汉\n"
    )
    path = write(tmp_path / "people.csv", text)
    mapping = {"external_id": "customer", "email": "mail", "city": "城市"}
    job = imports.import_profiles(path=path, source_key="shop", mapping=mapping, actor="test", now=now)
    assert (job.rows_total, job.rows_done, job.accepted, job.rejected) == (5, 5, 2, 3)
    assert [(row.row_number, row.field) for row in job.rejected_rows.order_by("row_number")] == [
        (2, "email"), (3, "row"), (4, "external_id"),
    ]  # fmt: skip
    found = find_by_identifier("external_id", "C1", SourceFactory())
    assert found is not None
    assert found.city == "杭州, 西湖"


def test_a_refused_row_is_kept_as_it_came_and_encrypted(tmp_path: Path, now: datetime) -> None:
    path = write(tmp_path / "people.csv", "external_id,email\nC1,nobody\n")
    imports.import_profiles(path=path, source_key="shop", mapping={}, actor="test", now=now)
    row = RejectedRow.objects.get()
    assert b"nobody" not in bytes(row.row_encrypted)
    assert imports.rejected_row(row) == {"external_id": "C1", "email": "nobody"}


@pytest.mark.parametrize("may_look", [True, False])
def test_a_look_at_a_refused_row_is_logged_and_needs_the_permission(
    tmp_path: Path, now: datetime, *, may_look: bool
) -> None:
    path = write(tmp_path / "people.csv", "external_id,email\nC1,nobody\n")
    job = imports.import_profiles(path=path, source_key="shop", mapping={}, actor="test", now=now)
    user = UserFactory(username="officer")
    names = ["view_rejectedrow", *(["view_personal_data"] if may_look else [])]
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    page = client.get(reverse("admin:segments_rejectedrow_change", args=[job.rejected_rows.get().pk]))
    assert page.status_code == 200
    assert ("nobody" in page.content.decode()) is may_look
    looks = AuditLeaf.objects.filter(action="rejected_row.viewed", actor="user:officer", object_id=str(job.uid))
    assert looks.count() == int(may_look)


def test_bytes_that_are_not_utf8_cost_their_row_only(tmp_path: Path, now: datetime) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b"external_id,city\nC1,\xff\xfe\nC2,Wuhan\n")
    job = imports.import_profiles(path=path, source_key="shop", mapping={}, actor="test", now=now)
    assert (job.accepted, job.rejected) == (1, 1)
    assert job.rejected_rows.get().reason == "is not UTF-8"


@pytest.mark.parametrize(
    ("option", "value"), [("name", "Kauf!"), ("currency", "yuan"), ("timezone", "Mars/Olympus"), ("timezone", "../etc")]
)
def test_wrong_options_are_refused_before_anything_is_stored(
    tmp_path: Path, now: datetime, option: str, value: str
) -> None:
    options = {"name": "browse", "currency": "CNY", "timezone": "UTC"} | {option: value}
    with pytest.raises(InputError, match=option):
        imports.import_events(
            path=orders(tmp_path, 1), source_key="shop", mapping=MAPPING, actor="test", now=now, **options
        )
    assert not ImportJob.objects.exists()


@pytest.mark.usefixtures("small_batches")
def test_an_interrupted_parquet_import_goes_on_inside_a_row_group(tmp_path: Path, now: datetime) -> None:
    make_profile(1)
    count = 35
    cells = {"external_id": ["C1"] * count, "occurred_at": ["2026-02-01"] * count, "event_id": list(range(count))}
    pq.write_table(pa.table(cells), tmp_path / "views.parquet", row_group_size=15)

    def run(progress: Callable[[int, int], None]) -> ImportJob:
        return imports.import_events(
            path=tmp_path / "views.parquet", source_key="shop", mapping={}, name="browse", currency="CNY",
            timezone="UTC", actor="test", now=now, progress=progress,
        )  # fmt: skip

    def unplug(done: int, _total: int) -> None:
        if done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(unplug)
    seen: list[int] = []
    job = run(lambda done, _total: seen.append(done))
    assert seen[0] > 20
    assert (seen[-1], job.accepted, job.duplicates, job.rejected) == (count, count, 0, 0)
    assert Event.objects.values("dedup").distinct().count() == count


@pytest.mark.usefixtures("small_batches")
def test_an_interrupted_import_goes_on_where_it_stopped(tmp_path: Path, now: datetime) -> None:
    make_profile(1)
    path = orders(tmp_path, 35)

    class UnpluggedError(Exception):
        pass

    def unplug(done: int, _total: int) -> None:
        if done == 20:
            raise UnpluggedError

    with pytest.raises(UnpluggedError):
        import_events(path, now, progress=unplug)
    job = ImportJob.objects.get()
    assert (job.state, job.rows_done, Event.objects.count()) == (ImportState.FAILED, 20, 20)

    seen: list[int] = []
    job = import_events(path, now, progress=lambda done, _total: seen.append(done))
    assert seen == [30, 35]
    assert (job.state, job.accepted, job.duplicates, job.error) == (ImportState.FINISHED, 35, 0, "")
    assert ProfileStats.objects.get().event_count == 35


@pytest.mark.usefixtures("small_batches")
def test_a_batch_that_fails_leaves_nothing_of_itself(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_profile(1)
    path = orders(tmp_path, 15)
    monkeypatch.setattr(imports, "_encrypt", lambda *_: 1 / 0)
    text = path.read_text() + "O99,C9,2026-02-01,1\n"
    with pytest.raises(ZeroDivisionError):
        import_events(write(path, text), now)
    job = ImportJob.objects.get()
    assert (job.rows_done, Event.objects.count(), ProfileStats.objects.get().event_count) == (10, 10, 10)


def test_the_same_file_again_is_not_read_again(tmp_path: Path, now: datetime) -> None:
    make_profile(1)
    path = orders(tmp_path, 5)
    first, second = import_events(path, now), import_events(path, now)
    assert first.pk == second.pk
    assert Event.objects.count() == 5


def test_events_of_another_file_with_the_same_ids_are_duplicates(tmp_path: Path, now: datetime) -> None:
    make_profile(1)
    import_events(orders(tmp_path, 5), now)
    job = import_events(orders(tmp_path, 8), now)
    assert (job.accepted, job.duplicates) == (3, 5)


def test_mappings() -> None:
    assert parse("email = mail, attributes.income=income,") == {"email": "mail", "attributes.income": "income"}
    assert complete(ImportKind.PROFILES, {"city": "town"}, ["town", "email"]) == {"city": "town", "email": "email"}


@pytest.mark.parametrize(
    ("kind", "mapping", "message"),
    [
        (ImportKind.PROFILES, {"mail": "email"}, "none of the fields external_id"),
        (ImportKind.PROFILES, {"email": "mail"}, "none of the file's columns email, city"),
        (ImportKind.PROFILES, {"city": "city", "name": "email", "email": "city"}, ""),
        (ImportKind.EVENTS, {"email": "email"}, "occurred_at"),
    ],
)
def test_a_wrong_mapping_lists_what_is_possible(kind: ImportKind, mapping: dict[str, str], message: str) -> None:
    if message:
        with pytest.raises(MappingError, match=message):
            complete(kind, mapping, ["email", "city"])
    else:
        complete(kind, mapping, ["email", "city"])


@pytest.mark.parametrize("text", ["email", "=x", "email=", "a=b,a=c"])
def test_a_wrong_mapping_text_is_refused(text: str) -> None:
    with pytest.raises(MappingError):
        parse(text)


@pytest.mark.parametrize(
    ("name", "content", "arguments", "message"),
    [
        ("people.csv", None, [], "no such file"),
        ("people.txt", "x", [], "ending"),
        ("people.csv", "", [], "no header"),
        ("people.parquet", "x", [], "not a Parquet file"),
        ("people.csv", "email\na@example.com\n", ["--map", "email=mail"], "columns"),
        ("people.csv", "email\na@example.com\n", ["--source", "my shop"], "source"),
    ],
)
def test_the_command_refuses_what_it_cannot_read(
    tmp_path: Path, name: str, content: str | None, arguments: list[str], message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(CommandError, match=message):
        call_command("import_profiles", str(path), "--source", "shop", *arguments)
    assert not ImportJob.objects.exists()


def test_the_commands_report_what_became_of_the_rows(tmp_path: Path) -> None:
    out = StringIO()
    people = write(tmp_path / "people.csv", "customer,mail\nC1,li@example.com\nC2,nobody\n")
    mapping = "external_id=customer,email=mail"
    call_command("import_profiles", str(people), "--source", "shop", "--map", mapping, stdout=out)
    assert "1 accepted, 0 duplicates, 1 rejected" in out.getvalue()
    assert "row 2: email: has no @" in out.getvalue()
    views = write(tmp_path / "views.csv", "customer,at\nC1,2026-02-01T10:00:00Z\n")
    mapping = "external_id=customer,occurred_at=at"
    call_command("import_events", str(views), "--source", "shop", "--map", mapping, "--name", "browse", stdout=out)
    assert Event.objects.get().name == "browse"
