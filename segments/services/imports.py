"""Taking in files of people and events: in batches, resumable, idempotent, no row lost.

One job stands for one file with one mapping. Each batch is stored in one transaction together with the job's counters,
so an interrupted job goes on after the last batch, and a finished one is not repeated. A thread reads the next batch
while PostgreSQL stores the one before. Where no column is mapped to the
event id, a row's event id is the job's fingerprint (SHA-256 of the file and how it is read) and the row's number, so
the same file adds nothing twice.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import connection, connections, transaction

from compliance import keys, vault
from compliance.services import audit
from segments import event_input
from segments.event_rows import EventRowReader
from segments.imports import mapping as mappings
from segments.imports.batch import Batch
from segments.imports.outcome import Outcome
from segments.imports.readers import Reader, open_file
from segments.models import ImportJob, ImportKind, ImportState, RejectedRow, Source
from segments.profile_input import InputError
from segments.services import sources
from segments.services.event_files import EventFile
from segments.services.profile_files import ProfileFile

PROFILE_BATCH = 5_000
EVENT_BATCH = 25_000
FIELD_LENGTH = 64
REASON_LENGTH = 240
Progress = Callable[[int, int], None]
Read = TypeVar("Read")


class File(Protocol[Read]):
    """How the rows of one kind of file are read, without changing anything, and stored."""

    def reading(self) -> Callable[[Batch], Read]: ...

    def store(self, read: Read, /) -> Outcome: ...


def import_profiles(
    *, path: Path, source_key: str, mapping: Mapping[str, str], actor: str, now: datetime,
    progress: Progress | None = None,
) -> ImportJob:  # fmt: skip
    """Take in a file of people: CSV, Parquet or XLSX. Returns the finished job.

    `progress` hears of rows done and rows in all.
    Raises `ReaderError`, `MappingError` or `SourceError` before anything is stored.
    """
    reader = open_file(path)
    completed = mappings.complete(ImportKind.PROFILES, mapping, reader.columns)
    source = sources.get_or_create(source_key)
    job = _job(ImportKind.PROFILES, path, source, completed, {}, now)
    file = ProfileFile(source, completed, actor, now)
    return _run(job, reader, file, PROFILE_BATCH, actor, now, progress)


def import_events(
    *, path: Path, source_key: str, mapping: Mapping[str, str], name: str, currency: str, timezone: str, actor: str,
    now: datetime, create_missing: bool = False, progress: Progress | None = None,
) -> ImportJob:  # fmt: skip
    """Take in a file of events called `name`. Returns the finished job.

    Amounts without a mapped currency are in `currency`; times without an offset are local to `timezone`. A row's person
    is the one of the first identifier it gives; people who are not known are created when `create_missing`, else their
    rows are refused. Raises as `import_profiles` does, or `InputError` when name, currency or time zone is none.
    """
    reader = open_file(path)
    completed = mappings.complete(ImportKind.EVENTS, mapping, reader.columns)
    event_input.check_name(name)
    event_input.check_currency(currency, needed=True)
    zone = _zone(timezone)
    source = sources.get_or_create(source_key)
    options = {"name": name, "currency": currency, "timezone": timezone, "create_missing": create_missing}
    job = _job(ImportKind.EVENTS, path, source, completed, options, now)
    rows = EventRowReader(source, completed, job.fingerprint, name, currency, zone, now)
    file = EventFile(rows, create_missing, actor)
    return _run(job, reader, file, EVENT_BATCH, actor, now, progress)


def rejected_row(rejected: RejectedRow) -> dict[str, Any]:
    """The row as it came."""
    row: dict[str, Any] = json.loads(vault.decrypt(_row_key(), bytes(rejected.row_encrypted), _context(rejected.job)))
    return row


def look(*, rejected: RejectedRow, actor: str, now: datetime) -> dict[str, Any]:
    """The row as it came, for `actor`; it may name a person, so the audit log keeps who looked."""
    with transaction.atomic():
        audit.append(
            action="rejected_row.viewed", actor=actor, object_type="import", object_id=rejected.job.uid,
            details={"row_number": rejected.row_number}, now=now,
        )  # fmt: skip
        return rejected_row(rejected)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, ZoneInfoNotFoundError):
        raise InputError("timezone", "is not an IANA time zone such as Asia/Shanghai") from None


def _job(
    kind: ImportKind, path: Path, source: Source, mapping: Mapping[str, str], options: Mapping[str, Any], now: datetime
) -> ImportJob:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    described = {"file": digest, "kind": kind, "source": source.key, "mapping": dict(mapping), **options}
    fingerprint = hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
    job, _ = ImportJob.objects.get_or_create(
        fingerprint=fingerprint,
        defaults={
            "kind": kind,
            "source": source,
            "file_name": path.name,
            "mapping": {**mapping, **options},
            "started_at": now,
        },
    )
    return job


def _run(
    job: ImportJob, reader: Reader, file: File[Read], size: int, actor: str, now: datetime, progress: Progress | None
) -> ImportJob:
    if job.state == ImportState.FINISHED:
        return job
    ImportJob.objects.filter(pk=job.pk).update(rows_total=reader.total, state=ImportState.RUNNING, error="")
    try:
        for batch, read in _read_ahead(reader.batches(skip=job.rows_done, size=size), file):
            store_batch(job.pk, batch, read, file)
            if progress:
                progress(batch.last, reader.total)
        finish(job, actor, now)
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"
        ImportJob.objects.filter(pk=job.pk).update(state=ImportState.FAILED, error=reason)
        raise
    job.refresh_from_db()
    return job


def _read_ahead(batches: Iterator[Batch], file: File[Read]) -> Iterator[tuple[Batch, Read]]:
    """Each batch with what was read of it, the next one being read meanwhile on a connection of its own.

    That one would not see what the caller's transaction did, so inside of one, batches are read when they are wanted.
    """
    if connection.in_atomic_block:
        yield from ((batch, file.reading()(batch)) for batch in batches)
        return

    def following(read: Callable[[Batch], Read]) -> tuple[Batch, Read] | None:
        batch = next(batches, None)
        return (batch, read(batch)) if batch else None

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="import") as reading:
        try:
            ahead = reading.submit(following, file.reading())
            while found := ahead.result():
                ahead = reading.submit(following, file.reading())
                yield found
        finally:
            reading.submit(connections.close_all)


def store_batch(job_id: int, batch: Batch, read: Read, file: File[Read]) -> None:
    with transaction.atomic():
        job = ImportJob.objects.select_for_update().get(pk=job_id)
        if job.rows_done >= batch.first:
            return  # another process is importing the same file and was here first
        outcome = file.store(read)
        job.rows_done += batch.size
        job.accepted += outcome.accepted
        job.duplicates += outcome.duplicates
        job.rejected += len(outcome.refused)
        job.held += outcome.held
        job.save()
        RejectedRow.objects.bulk_create(
            [
                RejectedRow(
                    job=job,
                    row_number=batch.first + place,
                    field=error.field[:FIELD_LENGTH],
                    reason=error.reason[:REASON_LENGTH],
                    row_encrypted=_encrypt(batch.row(place), job),
                )
                for place, error in sorted(outcome.refused.items())
            ],
            batch_size=PROFILE_BATCH,
        )


def finish(job: ImportJob, actor: str, now: datetime) -> None:
    with transaction.atomic():
        ImportJob.objects.filter(pk=job.pk).update(state=ImportState.FINISHED, finished_at=now)
        job.refresh_from_db()
        audit.append(
            action="import.finished", actor=actor, object_type="import", object_id=job.uid,
            details={
                "kind": job.kind, "source": job.source.key, "fingerprint": job.fingerprint, "accepted": job.accepted,
                "duplicates": job.duplicates, "rejected": job.rejected, "held": job.held,
            },
            now=now,
        )  # fmt: skip


def _encrypt(row: Mapping[str, Any], job: ImportJob) -> bytes:
    return vault.encrypt(_row_key(), json.dumps(row, default=str, ensure_ascii=False), _context(job))


def _row_key() -> bytes:
    return vault.derive(keys.master_key(), "rejected-rows")


def _context(job: ImportJob) -> str:
    return f"rejected-row:{job.uid}"
