"""The auditors' export."""

import csv
import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from compliance.models import AuditLeaf, ConsentRecord
from compliance.services import audit, consent, exports
from tests.factories.compliance import NoticeFactory, SubjectFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def records(now: datetime) -> list[ConsentRecord]:
    notice = NoticeFactory(text="我们想写信给您。")
    return [
        consent.record(
            decision=consent.Decision(
                subject_id=SubjectFactory().pk, purpose_id=notice.purpose_id, channel="email", action="given",
                method="form", notice_id=notice.pk, source="=HYPERLINK(1)" if day == 0 else "表单", occurred_at=now,
                evidence={"ip": "192.0.2.1"},
            ),
            actor="test", now=now + timedelta(days=day),
        )
        for day in range(4)
    ]  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_repeating_an_export_gives_the_same_bytes(records: list[ConsentRecord], tmp_path: Path, now: datetime) -> None:
    for name in ("a", "b"):
        exports.export_consents(out=tmp_path / name, start=None, end=None, actor="test", now=now)
        now += timedelta(hours=1)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert set(contents(tmp_path / "a")) == {"consents.csv", "consents.jsonl", "notices.jsonl", "manifest.json"}


def test_the_manifest_covers_every_file(records: list[ConsentRecord], tmp_path: Path, now: datetime) -> None:
    summary = exports.export_consents(out=tmp_path / "x", start=None, end=None, actor="test", now=now)
    files = contents(tmp_path / "x")
    manifest = json.loads(files["manifest.json"])
    assert manifest["records"] == summary.records == 4
    assert hashlib.sha256(files.pop("manifest.json")).hexdigest() == summary.manifest_sha256
    assert manifest["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert AuditLeaf.objects.filter(action="consents.exported").count() == 1


def test_csv_and_json_lines_tell_the_same(records: list[ConsentRecord], tmp_path: Path, now: datetime) -> None:
    exports.export_consents(out=tmp_path / "x", start=None, end=None, actor="test", now=now)
    lines = [json.loads(line) for line in (tmp_path / "x" / "consents.jsonl").read_text().splitlines()]
    with (tmp_path / "x" / "consents.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["uid"] for row in rows] == [line["uid"] for line in lines] == [str(r.uid) for r in records]
    assert lines[0]["source"] == "=HYPERLINK(1)"
    assert rows[0]["source"] == "'=HYPERLINK(1)"  # no spreadsheet runs it
    assert json.loads(rows[1]["evidence"]) == lines[1]["evidence"] == {"ip": "192.0.2.1"}


def test_the_range_includes_its_start_and_excludes_its_end(
    records: list[ConsentRecord], tmp_path: Path, now: datetime
) -> None:
    days = [now + timedelta(days=day) for day in range(4)]
    summary = exports.export_consents(out=tmp_path / "x", start=days[1], end=days[3], actor="test", now=now)
    assert summary.records == 2


def test_an_export_replaces_an_export_and_nothing_else(
    records: list[ConsentRecord], tmp_path: Path, now: datetime
) -> None:
    call_command("export_consents", "--out", str(tmp_path / "x"))
    call_command("export_consents", "--out", str(tmp_path / "x"), "--from", "2026-03-03")
    assert json.loads((tmp_path / "x" / "manifest.json").read_text())["records"] == 3
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(CommandError, match="other files"):
        call_command("export_consents", "--out", str(tmp_path / "mine"))
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "12:00"])
def test_a_wrong_time_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(CommandError, match="--from"):
        call_command("export_consents", "--out", str(tmp_path / "x"), "--from", text)


def test_what_is_recorded_and_published_later_does_not_change_the_export_of_an_earlier_range(
    records: list[ConsentRecord], tmp_path: Path, now: datetime
) -> None:
    end = now + timedelta(days=4)
    exports.export_consents(out=tmp_path / "a", start=None, end=end, actor="test", now=now)
    NoticeFactory(purpose=records[0].purpose, text="New words.", published_at=end)
    exports.export_consents(out=tmp_path / "b", start=None, end=end, actor="test", now=now)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_notice_that_a_record_names_is_there_though_it_was_published_later(
    records: list[ConsentRecord], tmp_path: Path, now: datetime
) -> None:
    notice = NoticeFactory(purpose=records[0].purpose, text="Entered afterwards.", published_at=now + timedelta(days=9))
    decision = consent.Decision(
        subject_id=SubjectFactory().pk, purpose_id=notice.purpose_id, channel="email", action="given", method="import",
        notice_id=notice.pk, source="import", occurred_at=now,
    )  # fmt: skip
    consent.record(decision=decision, actor="test", now=now)
    exports.export_consents(out=tmp_path / "x", start=None, end=now + timedelta(days=4), actor="test", now=now)
    assert "Entered afterwards." in (tmp_path / "x" / "notices.jsonl").read_text()


def test_without_its_audit_leaf_no_export_appears(
    records: list[ConsentRecord], tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(audit.rfc8785, "dumps", broken)
    with pytest.raises(OSError, match="disk full"):
        exports.export_consents(out=tmp_path / "x", start=None, end=None, actor="test", now=now)
    assert list(tmp_path.iterdir()) == []
