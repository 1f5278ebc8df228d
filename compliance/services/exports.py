"""The auditors' export of consent records: the same bytes whenever it is repeated for the same range."""

import csv
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from compliance.models import ConsentRecord, Notice
from compliance.services import audit

CHUNK = 5_000
COLUMNS = (
    "uid", "subject", "purpose", "channel", "action", "method", "notice", "source", "occurred_at", "expires_at",
    "recorded_at", "recorded_by", "evidence",
)  # fmt: skip
MANIFEST = "manifest.json"


class ExportError(Exception):
    """The export cannot be written there."""


@dataclass(frozen=True)
class ExportSummary:
    """What was written: how many records and notices, and the SHA-256 of the manifest, which covers all files."""

    records: int
    notices: int
    manifest_sha256: str


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
    _refuse_foreign_folder(out)
    records = _records(start, end)
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        count, last = _write_records(draft, records, progress)
        notices = _write_notices(draft, records, end)
        manifest = _write_manifest(draft, start, end, last, count, notices)
        with transaction.atomic():
            audit.append(
                action="consents.exported",
                actor=actor,
                object_type="export",
                object_id=manifest,
                details={"from": _time(start), "to": _time(end), "records": count},
                now=now,
            )
            if out.exists():
                shutil.rmtree(out)
            os.replace(draft, out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return ExportSummary(records=count, notices=notices, manifest_sha256=manifest)


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
        writer = csv.DictWriter(table, COLUMNS)
        writer.writeheader()
        for row in map(_row, records.iterator(chunk_size=CHUNK)):
            lines.write(_json(row) + "\n")
            cells = row | {"evidence": _json(row["evidence"]), "notice": _json(row["notice"])}
            writer.writerow({name: _cell(value) for name, value in cells.items()})
            count, last = count + 1, row["recorded_at"]
            if progress and count % CHUNK == 0:
                progress(count, total)
    if progress:
        progress(count, total)
    return count, last


def _row(record: ConsentRecord) -> dict[str, Any]:
    notice = record.notice
    return {
        "uid": str(record.uid),
        "subject": str(record.subject.uid),
        "purpose": record.purpose.key,
        "channel": record.channel,
        "action": record.action,
        "method": record.method,
        "notice": {"version": notice.version, "language": notice.language, "sha256": notice.text_sha256}
        if notice
        else None,
        "source": record.source,
        "occurred_at": _time(record.occurred_at),
        "expires_at": _time(record.expires_at),
        "recorded_at": _time(record.recorded_at),
        "recorded_by": record.recorded_by,
        "evidence": record.evidence,
    }


def _write_notices(folder: Path, records: QuerySet[ConsentRecord], end: datetime | None) -> int:
    notices = Notice.objects.select_related("purpose").order_by("purpose__key", "version", "language")
    if end is not None:
        named = records.order_by().filter(notice__isnull=False).values("notice")
        notices = notices.filter(Q(published_at__lt=end) | Q(pk__in=named))
    count = 0
    with (folder / "notices.jsonl").open("w", encoding="utf-8") as lines:
        for notice in notices:
            line = {
                "purpose": notice.purpose.key,
                "version": notice.version,
                "language": notice.language,
                "published_at": _time(notice.published_at),
                "sha256": notice.text_sha256,
                "text": notice.text,
            }
            lines.write(_json(line) + "\n")
            count += 1
    return count


def _write_manifest(
    folder: Path, start: datetime | None, end: datetime | None, last: str | None, count: int, notices: int
) -> str:
    """Write the manifest and return its SHA-256. It holds nothing that differs between two exports of one range."""
    manifest = {
        "format": "heed-consents-1",
        "from": _time(start),
        "to": _time(end),
        "last_recorded_at": last,
        "records": count,
        "notices": notices,
        "files": {path.name: _sha256(path) for path in sorted(folder.iterdir())},
    }
    data = (json.dumps(manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
    (folder / MANIFEST).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="microseconds") if moment else None


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _cell(value: Any) -> Any:
    """A spreadsheet would run a text that starts like a formula; a leading quote makes it plain text (OWASP)."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return "'" + value
    return "" if value is None else value
