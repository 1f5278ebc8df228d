"""Taking in files of people and events: in batches, resumable, idempotent, no row lost.

One job stands for one file with one mapping. Each batch is stored in one transaction together with the job's counters,
so an interrupted job goes on after the last batch, and a finished one is not repeated. Without a mapped event id, a
row's event id is the file's SHA-256 and its row number, so the same file adds nothing twice.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from compliance import keys, vault
from compliance.services import audit
from segments import event_input, profile_input
from segments.event_input import EventInput
from segments.imports import mapping as mappings
from segments.imports.readers import Malformed, Reader, Row, open_file
from segments.models import ImportJob, ImportKind, ImportState, RejectedRow, Source
from segments.profile_input import IDENTIFIERS, InputError, ProfileInput
from segments.services import events, profiles, sources

PROFILE_BATCH = 5_000
EVENT_BATCH = 50_000
REASON_LENGTH = 240
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Rejection:
    row_number: int
    row: Row
    field: str
    reason: str


@dataclass(frozen=True)
class _Outcome:
    accepted: int
    duplicates: int
    rejections: list[_Rejection]


NumberedRow = tuple[int, Row]
TakeBatch = Callable[[list[NumberedRow]], _Outcome]


def import_profiles(
    *, path: Path, source_key: str, mapping: Mapping[str, str], actor: str, now: datetime,
    progress: Progress | None = None,
) -> ImportJob:  # fmt: skip
    """Take in a CSV or Parquet file of people. Returns the finished job.

    Raises `ReaderError`, `MappingError` or `SourceError` before anything is stored.
    """
    reader = open_file(path)
    completed = mappings.complete(ImportKind.PROFILES, mapping, reader.columns)
    source = sources.get_or_create(source_key)
    job = _job(ImportKind.PROFILES, path, source, completed, {}, now)
    picker = mappings.Picker(reader.columns, completed)

    def take(rows: list[NumberedRow]) -> _Outcome:
        read = [(number, row, _profile(picker, row)) for number, row in rows]
        inputs = [item for *_, item in read if isinstance(item, ProfileInput)]
        results = iter(profiles.upsert_many(source=source, inputs=inputs, actor=actor, now=now))
        rejections = []
        for number, row, item in read:
            result = item if isinstance(item, InputError) else next(results)
            if isinstance(result, InputError) or result.profile_id is None:
                rejections.append(_Rejection(number, row, result.field, result.reason))
        return _Outcome(len(rows) - len(rejections), 0, rejections)

    return _run(job, reader, picker, take, PROFILE_BATCH, actor, now, progress)


def import_events(
    *, path: Path, source_key: str, mapping: Mapping[str, str], name: str, currency: str, timezone: str, actor: str,
    now: datetime, create_missing: bool = False, progress: Progress | None = None,
) -> ImportJob:  # fmt: skip
    """Take in a CSV or Parquet file of events called `name`. Returns the finished job.

    Amounts without a mapped currency are in `currency`; times without an offset are local to `timezone`. People who are
    not known are created when `create_missing`, else their rows are refused. Raises as `import_profiles` does.
    """
    reader = open_file(path)
    completed = mappings.complete(ImportKind.EVENTS, mapping, reader.columns)
    source = sources.get_or_create(source_key)
    options = {"name": name, "currency": currency, "timezone": timezone, "create_missing": create_missing}
    job = _job(ImportKind.EVENTS, path, source, completed, options, now)
    picker = mappings.Picker(reader.columns, completed)
    reading = _EventReading(job.fingerprint, name, currency, ZoneInfo(timezone))

    def take(rows: list[NumberedRow]) -> _Outcome:
        read = [(number, row, reading.event(picker, number, row)) for number, row in rows]
        inputs = [item for *_, item in read if isinstance(item, EventInput)]
        if create_missing:
            _create_missing(source, inputs, actor, now)
        results = iter(events.ingest(source=source, events=inputs, actor=actor, now=now))
        accepted = 0
        rejections = []
        for number, row, item in read:
            result = (
                events.EventResult("rejected", item.field, item.reason)
                if isinstance(item, InputError)
                else next(results)
            )
            accepted += result.status == "accepted"
            if result.status == "rejected":
                rejections.append(_Rejection(number, row, result.field, result.reason))
        return _Outcome(accepted, len(rows) - accepted - len(rejections), rejections)

    return _run(job, reader, picker, take, EVENT_BATCH, actor, now, progress)


def rejected_row(rejected: RejectedRow) -> dict[str, Any]:
    """The row as it came."""
    row: dict[str, Any] = json.loads(vault.decrypt(_row_key(), bytes(rejected.row_encrypted), _context(rejected.job)))
    return row


@dataclass(frozen=True)
class _EventReading:
    """How the cells of a row become an event."""

    fingerprint: str
    name: str
    currency: str
    zone: ZoneInfo

    def event(self, picker: mappings.Picker, number: int, row: Row) -> EventInput | InputError:
        if isinstance(row, Malformed):
            return InputError("row", row.reason)
        fields = picker.fields(row)
        identifier = next((name for name in IDENTIFIERS if fields.get(name) not in (None, "")), "")
        try:
            amount = event_input.amount(fields.get("amount"))
            return EventInput(
                event_id=str(fields.get("event_id") or f"{self.fingerprint}:{number}"),
                name=self.name,
                occurred_at=event_input.moment(fields["occurred_at"], self.zone),
                identifier=identifier,
                value=str(fields[identifier]) if identifier else "",
                amount=amount,
                currency=str(fields.get("currency") or self.currency) if amount is not None else "",
                category=str(fields.get("category") or ""),
                properties={
                    key.removeprefix("properties."): value
                    for key, value in fields.items()
                    if key.startswith("properties.") and value not in (None, "")
                },
            )
        except InputError as error:
            return error


def _profile(picker: mappings.Picker, row: Row) -> ProfileInput | InputError:
    if isinstance(row, Malformed):
        return InputError("row", row.reason)
    try:
        return profile_input.from_texts(picker.fields(row))
    except InputError as error:
        return error


def _create_missing(source: Source, inputs: Sequence[EventInput], actor: str, now: datetime) -> None:
    people = {(event.identifier, event.value): None for event in inputs if event.identifier}
    wanted = [_named(identifier, value) for identifier, value in people]
    profiles.upsert_many(source=source, inputs=wanted, actor=actor, now=now)


def _named(identifier: str, value: str) -> ProfileInput:
    fields: dict[str, Any] = {identifier: value}
    return ProfileInput(**fields)


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
    job: ImportJob, reader: Reader, picker: mappings.Picker, take: TakeBatch, size: int, actor: str, now: datetime,
    progress: Progress | None,
) -> ImportJob:  # fmt: skip
    if job.state == ImportState.FINISHED:
        return job
    ImportJob.objects.filter(pk=job.pk).update(rows_total=reader.total, state=ImportState.RUNNING, error="")
    try:
        for batch in _numbered(reader, job.rows_done, size):
            _store_batch(job.pk, batch, picker, take)
            if progress:
                progress(batch[-1][0], reader.total)
        _finish(job, actor, now)
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"
        ImportJob.objects.filter(pk=job.pk).update(state=ImportState.FAILED, error=reason)
        raise
    job.refresh_from_db()
    return job


def _numbered(reader: Reader, skip: int, size: int) -> Iterator[list[NumberedRow]]:
    """Batches of rows with their numbers, counted from 1."""
    number = skip
    for rows in reader.batches(skip=skip, size=size):
        yield list(enumerate(rows, number + 1))
        number += len(rows)


def _store_batch(job_id: int, batch: list[NumberedRow], picker: mappings.Picker, take: TakeBatch) -> None:
    with transaction.atomic():
        job = ImportJob.objects.select_for_update().get(pk=job_id)
        if job.rows_done >= batch[0][0]:
            return  # another process is importing the same file and was here first
        outcome = take(batch)
        job.rows_done += len(batch)
        job.accepted += outcome.accepted
        job.duplicates += outcome.duplicates
        job.rejected += len(outcome.rejections)
        job.save()
        RejectedRow.objects.bulk_create(
            [
                RejectedRow(
                    job=job, row_number=item.row_number, field=item.field[:64], reason=item.reason[:REASON_LENGTH],
                    row_encrypted=_encrypt(picker.whole(item.row), job),
                )
                for item in outcome.rejections
            ],
            batch_size=PROFILE_BATCH,
        )  # fmt: skip


def _finish(job: ImportJob, actor: str, now: datetime) -> None:
    with transaction.atomic():
        ImportJob.objects.filter(pk=job.pk).update(state=ImportState.FINISHED, finished_at=now)
        job.refresh_from_db()
        audit.append(
            action="import.finished", actor=actor, object_type="import", object_id=job.uid,
            details={
                "kind": job.kind, "source": job.source.key, "fingerprint": job.fingerprint, "accepted": job.accepted,
                "duplicates": job.duplicates, "rejected": job.rejected,
            },
            now=now,
        )  # fmt: skip


def _encrypt(row: Mapping[str, Any], job: ImportJob) -> bytes:
    return vault.encrypt(_row_key(), json.dumps(row, default=str, ensure_ascii=False), _context(job))


def _row_key() -> bytes:
    return vault.derive(keys.master_key(), "rejected-rows")


def _context(job: ImportJob) -> str:
    return f"rejected-row:{job.uid}"
