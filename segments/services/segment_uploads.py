"""Files with members of uploaded segments: kept encrypted until a worker takes them in.

A row that names nobody is kept with the reason; the others count. Nobody enters or leaves before the whole file is
read, and then all at once.
"""

import base64
import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from compliance import keys, vault
from compliance.services import audit
from compliance.uuid7 import uuid7
from segments import cells
from segments.imports.batch import Batch
from segments.imports.mapping import MappingError
from segments.imports.outcome import Outcome
from segments.imports.readers import Reader, ReaderError, open_file
from segments.models import ImportJob, ImportKind, ImportState, Segment, SegmentUpload, Source
from segments.profile_input import InputError
from segments.services import imports, segment_lists
from segments.services.segment_lists import ACCEPTED, DUPLICATE, IDENTIFIER_NAMES, Named

MAX_BYTES = 32 * 1024 * 1024
BATCH = 5_000
LOCK = 0x48454544_05


class MemberFile:
    """A file of people, read by one column; `people` are the ids of those found so far."""

    def __init__(self, source: Source, identifier: str, column: str) -> None:
        self.people: set[int] = set()
        self._source, self._identifier, self._column = source, identifier, column

    def reading(self) -> Callable[[Batch], Batch]:
        """Rows need no reading ahead."""
        return lambda batch: batch

    def store(self, batch: Batch, /) -> Outcome:
        """Find the people of a batch; who is found again is a duplicate."""
        values = batch.column(self._column, cells.text)
        found = segment_lists.find([Named(self._identifier, value) for value in values], self._source)
        refused: dict[int, InputError] = {}
        counts: Counter[str] = Counter()
        for place, owner in enumerate(found):
            if place in batch.malformed:
                refused[place] = InputError("", batch.malformed[place].reason)
            elif isinstance(owner, InputError):
                refused[place] = owner
            else:
                counts[DUPLICATE if owner in self.people else ACCEPTED] += 1
                self.people.add(owner)
        return Outcome(accepted=counts[ACCEPTED], duplicates=counts[DUPLICATE], refused=refused)


def receive(
    *, segment: Segment, content: bytes, file_name: str, identifier: str, column: str, mode: str, source: Source,
    actor: str, now: datetime,
) -> ImportJob:  # fmt: skip
    """Keep a CSV, XLSX or Parquet file for a worker, encrypted; returns its import job.

    `column` holds the identifiers; without it, the column named like the kind of identifier, or the only one. Raises
    `ValidationError` by field.
    """
    segment_lists.check(segment=segment, mode=mode, identifier=identifier)
    if len(content) > MAX_BYTES:
        raise ValidationError({"file": _("The file is larger than %(most)d MB.") % {"most": MAX_BYTES // 1024**2}})
    with _opened(content, file_name) as reader:
        try:
            chosen = _column(column, identifier, reader.columns)
        except MappingError as error:
            raise ValidationError({"column": str(error)}) from None
        total = reader.total
    uid = uuid7()
    described = f"{segment.uid}\0{mode}\0{uid}\0".encode()
    with transaction.atomic():
        job = ImportJob.objects.create(
            uid=uid, kind=ImportKind.MEMBERS, source=source, file_name=file_name[-240:], started_at=now,
            fingerprint=hashlib.sha256(described + content).hexdigest(), state=ImportState.WAITING, rows_total=total,
            mapping={identifier: chosen, "segment": segment.key, "mode": mode},
        )  # fmt: skip
        sealed = vault.encrypt(_key(), base64.b64encode(content).decode(), _context(job))
        SegmentUpload.objects.create(job=job, segment=segment, mode=mode, file_encrypted=sealed, uploaded_by=actor)
        details = {"mode": mode, "rows": total, "file_sha256": hashlib.sha256(content).hexdigest()}
        _leaf(segment, "segment.list_uploaded", details, actor=actor, now=now)
    return job


def take_in_waiting(*, now: datetime, actor: str) -> int:
    """Take in the lists that wait, one after the other; returns how many. Only one process does so at a time.

    A list whose worker died is read again from its beginning: nobody had entered or left yet.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
    try:
        states = [ImportState.WAITING, ImportState.RUNNING]
        waiting = SegmentUpload.objects.filter(job__state__in=states).select_related("job__source", "segment")
        uploads = list(waiting.order_by("job"))
        for upload in uploads:
            _take_in_file(upload, now)
        return len(uploads)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _take_in_file(upload: SegmentUpload, now: datetime) -> None:
    job = upload.job
    identifier = next(name for name in IDENTIFIER_NAMES if name in job.mapping)
    file = MemberFile(job.source, identifier, job.mapping[identifier])
    with transaction.atomic():
        job.rejected_rows.all().delete()
        ImportJob.objects.filter(pk=job.pk).update(
            state=ImportState.RUNNING, error="", rows_done=0, accepted=0, duplicates=0, rejected=0
        )
        job.refresh_from_db()
    try:
        content = base64.b64decode(vault.decrypt(_key(), bytes(upload.file_encrypted), _context(job)))
        with _opened(content, job.file_name) as reader:
            for batch in reader.batches(skip=0, size=BATCH):
                imports.store_batch(job.pk, batch, batch, file)
        with transaction.atomic():
            result = segment_lists.apply(upload.segment, file.people, upload.mode, now, upload.uploaded_by)
            SegmentUpload.objects.filter(pk=upload.pk).update(
                entered=result.entered, left=result.left, file_encrypted=b""
            )
            imports.finish(job, upload.uploaded_by, now)
    except Exception as error:  # the job tells, and the next list must not wait for it
        reason = f"{type(error).__name__}: {error}"
        ImportJob.objects.filter(pk=job.pk).update(state=ImportState.FAILED, error=reason)
        SegmentUpload.objects.filter(pk=upload.pk).update(file_encrypted=b"")


@contextmanager
def _opened(content: bytes, file_name: str) -> Iterator[Reader]:
    """The reader of a file whose bytes are at hand: on disk while it is read, in a folder that nobody else may enter.

    Raises `ValidationError` for the file.
    """
    name = Path(file_name).name
    with tempfile.TemporaryDirectory(prefix="heed-list-") as folder:
        path = Path(folder) / f"list{Path(name).suffix.lower()}"
        path.write_bytes(content)
        try:
            reader = open_file(path)
        except ReaderError as error:
            raise ValidationError({"file": str(error).replace(path.name, name)}) from None
        yield reader


def _column(column: str, identifier: str, columns: Sequence[str]) -> str:
    if column and column not in columns:
        raise MappingError(
            _("%(column)s: is none of the file's columns %(columns)s")
            % {"column": column, "columns": ", ".join(columns)}
        )
    if column or identifier in columns:
        return column or identifier
    if len(columns) == 1:
        return columns[0]
    raise MappingError(_("Name the column with the identifiers, one of %(columns)s.") % {"columns": ", ".join(columns)})


def _key() -> bytes:
    return vault.derive(keys.master_key(), "uploaded-list")


def _context(job: ImportJob) -> str:
    return f"uploaded-list:{job.uid}"


def _leaf(segment: Segment, action: str, details: dict[str, Any], *, actor: str, now: datetime) -> None:
    audit.append(
        action=action, actor=actor, object_type="segment", object_id=str(segment.uid),
        details={"key": segment.key, **details}, now=now,
    )  # fmt: skip
