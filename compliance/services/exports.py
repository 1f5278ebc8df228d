"""The auditors' export of consent records: the same bytes whenever it is repeated for the same range."""

import csv
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from compliance.models import ConsentRecord, Notice
from compliance.services import audit, consent_rows
from compliance.services.consent_rows import written_time

CHUNK = 5_000
FORMAT = "heed-consents-1"
MANIFEST = "manifest.json"


class ExportError(Exception):
    """The export cannot be written there."""


@dataclass(frozen=True)
class ExportSummary:
    """What was written: how many records and notices, and the SHA-256 of the manifest, which covers all files."""

    records: int
    notices: int
    manifest_sha256: str


@dataclass(frozen=True)
class ConsentFiles:
    """What the files hold: how many records, when the last of them was recorded, how many notices."""

    records: int
    last_recorded_at: str | None
    notices: int


def export_consents(
    *, out: Path, start: datetime | None, end: datetime | None, actor: str, now: datetime,
    progress: Callable[[int, int], None] | None = None,
) -> ExportSummary:  # fmt: skip
    """Write consents.csv, consents.jsonl, notices.jsonl and manifest.json into `out`.

    The range is that of `recorded_at`, `start` included and `end` excluded; without `end` it reaches to the last record
    there is. With the records come the notices published before `end` and those that a record names. The folder
    appears whole or not at all, and not without its audit leaf; an earlier export in its place is replaced. Raises
    `ExportError`.
    """
    with replaced(out) as draft:
        written = write_consents(draft, start=start, end=end, progress=progress)
        facts = {"format": FORMAT, "from": written_time(start), "to": written_time(end), **asdict(written)}
        manifest = write_manifest(draft, facts)
        audit.append(
            action="consents.exported",
            actor=actor,
            object_type="export",
            object_id=manifest,
            details={"from": written_time(start), "to": written_time(end), "records": written.records},
            now=now,
        )
    return ExportSummary(records=written.records, notices=written.notices, manifest_sha256=manifest)


@contextmanager
def replaced(out: Path) -> Iterator[Path]:
    """A folder to write an export into, which takes the place of `out` when all went well, in one transaction.

    Raises `ExportError` when `out` is something else than an earlier export.
    """
    _refuse_foreign_folder(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        with transaction.atomic():
            yield draft
            if out.exists():
                shutil.rmtree(out)
            os.replace(draft, out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_consents(
    folder: Path, *, start: datetime | None, end: datetime | None, progress: Callable[[int, int], None] | None = None
) -> ConsentFiles:
    """Write consents.csv, consents.jsonl and notices.jsonl for the range."""
    records = _records(start, end)
    count, last = _write_records(folder, records, progress)
    return ConsentFiles(records=count, last_recorded_at=last, notices=_write_notices(folder, records, end))


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> str:
    """Write the manifest, these facts and the SHA-256 of each file, and return its own SHA-256."""
    manifest = {**facts, "files": {path.name: _sha256(path) for path in sorted(folder.iterdir())}}
    data = (json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    (folder / MANIFEST).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _refuse_foreign_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ExportError(f"{out} is not a folder")
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).exists():
        raise ExportError(f"{out} holds other files; choose an empty folder")


def _records(start: datetime | None, end: datetime | None) -> QuerySet[ConsentRecord]:
    records = ConsentRecord.objects.select_related("subject", "purpose", "notice").order_by("recorded_at", "id")
    if start is not None:
        records = records.filter(recorded_at__gte=start)
    if end is not None:
        records = records.filter(recorded_at__lt=end)
    return records


def _write_records(
    folder: Path, records: QuerySet[ConsentRecord], progress: Callable[[int, int], None] | None
) -> tuple[int, str | None]:
    """Returns how many there were and when the last was recorded, both from the one pass that wrote them."""
    total = records.count()
    count, last = 0, None
    with (
        (folder / "consents.csv").open("w", newline="", encoding="utf-8") as table,
        (folder / "consents.jsonl").open("w", encoding="utf-8") as lines,
    ):
        writer = csv.DictWriter(table, consent_rows.COLUMNS)
        writer.writeheader()
        for row in map(consent_rows.row, records.iterator(chunk_size=CHUNK)):
            lines.write(consent_rows.line(row) + "\n")
            writer.writerow({name: _cell(value) for name, value in row.items()})
            count, last = count + 1, row["recorded_at"]
            if progress and count % CHUNK == 0:
                progress(count, total)
    if progress:
        progress(count, total)
    return count, last


def _write_notices(folder: Path, records: QuerySet[ConsentRecord], end: datetime | None) -> int:
    notices = Notice.objects.select_related("purpose").order_by("purpose__key", "version", "language")
    if end is not None:
        named = records.order_by().filter(notice__isnull=False).values("notice")
        notices = notices.filter(Q(published_at__lt=end) | Q(pk__in=named))
    count = 0
    with (folder / "notices.jsonl").open("w", encoding="utf-8") as lines:
        for notice in notices:
            lines.write(consent_rows.line(consent_rows.notice_row(notice)) + "\n")
            count += 1
    return count


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cell(value: Any) -> Any:
    """Nothing for what is not there, JSON for what has parts.

    A spreadsheet would run a text that starts like a formula; a leading quote makes it plain text (OWASP).
    """
    if isinstance(value, dict):
        return consent_rows.line(value)
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return "'" + value
    return "" if value is None else value
