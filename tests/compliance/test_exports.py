"""The auditors' export."""

import csv
import hashlib
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from compliance.models import AuditLeaf, ConsentRecord
from compliance.services import consent, exports
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
