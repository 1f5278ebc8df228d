"""Tags that another system sends: people named by their identifiers, each row with a result of its own."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from segments import cells, event_line
from segments.imports.batch import Batch
from segments.imports.mapping import MappingError
from segments.imports.readers import open_file
from segments.models import Profile, Source, Tag
from segments.profile_input import IDENTIFIERS, InputError
from segments.services.events import UnknownPersonError, find_people
from segments.services.tags import assignment
from segments.services.tags.assignment import EXCLUDED, GIVEN, REJECTED, Given

BATCH = 5_000
FIELDS = ("uid", *IDENTIFIERS, "weight", "confidence", "expires_at")


@dataclass(frozen=True)
class PersonInput:
    """A person, by `uid` or an identifier, with what the source says of the tag."""

    identifier: str
    value: str
    weight: float | None = None
    confidence: Decimal | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one row: `given`, `excluded`, or `rejected` with the field and the reason."""

    status: str
    field: str = ""
    reason: str = ""


@dataclass(frozen=True)
class FileOutcome:
    """How many rows became what, and why the first ones were rejected, by row number."""

    counts: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[int, Outcome] = field(default_factory=dict)


def take_in(
    *, tag: Tag, source: Source, rows: Sequence[PersonInput | InputError], actor: str, now: datetime
) -> list[Outcome]:
    """Give the tag to those of the people who are known, in one transaction; returns a result for each row in order.

    Raises `ValidationError` by field for a tag that is not imported.
    """
    assignment.check_importable(tag)
    people = _people(source, [row for row in rows if isinstance(row, PersonInput)])
    read = [_given(tag, row, people, now) for row in rows]
    good = [item for item in read if isinstance(item, Given)]
    statuses = iter(
        assignment.assign_many(tag=tag, people=good, source=f"import:{source.key}", actor=actor, now=now)
    )  # fmt: skip
    return [Outcome(next(statuses)) if isinstance(item, Given) else item for item in read]


def import_file(
    *,
    tag: Tag,
    source: Source,
    path: Path,
    mapping: Mapping[str, str],
    actor: str,
    now: datetime,
    progress: Callable[[int, int], None],
) -> FileOutcome:
    """Give the tag to the people in a CSV or Parquet file, a transaction for each batch; again, it changes nothing.

    Raises `ReaderError` and `MappingError` for the file, `ValidationError` for the tag.
    """
    reader = open_file(path)
    columns = _columns(mapping, reader.columns)
    counts: Counter[str] = Counter({GIVEN: 0, EXCLUDED: 0, REJECTED: 0})
    rejected: dict[int, Outcome] = {}
    done = 0
    for batch in reader.batches(skip=0, size=BATCH):
        rows = [_row(batch, place, columns, now) for place in range(batch.size)]
        results = take_in(tag=tag, source=source, rows=rows, actor=actor, now=now)
        counts.update(result.status for result in results)
        refused = {batch.first + place: result for place, result in enumerate(results) if result.status == REJECTED}
        rejected |= dict(list(refused.items())[: max(0, 100 - len(rejected))])
        done += batch.size
        progress(done, reader.total)
    return FileOutcome(counts, rejected)


def _people(source: Source, rows: Sequence[PersonInput]) -> dict[tuple[str, str], int | InputError]:
    uids: dict[UUID, int | None] = {}
    for row in rows:
        if row.identifier == "uid" and _uid(row.value) is not None:
            uids[UUID(row.value)] = None
    uids |= dict(Profile.objects.filter(subject__uid__in=uids).values_list("subject__uid", "pk"))
    named = {(row.identifier, row.value) for row in rows if row.identifier != "uid"}
    found = find_people(source=source, named=named)
    for row in rows:
        if row.identifier == "uid":
            uid = _uid(row.value)
            found["uid", row.value] = (uid and uids.get(uid)) or UnknownPersonError("uid")
    return found


def _given(
    tag: Tag, row: PersonInput | InputError, people: Mapping[tuple[str, str], int | InputError], now: datetime
) -> Given | Outcome:
    owner = row if isinstance(row, InputError) else people[row.identifier, row.value]
    if isinstance(row, InputError) or isinstance(owner, InputError):
        return Outcome(REJECTED, owner.field, owner.reason) if isinstance(owner, InputError) else Outcome(REJECTED)
    given = Given(owner, row.weight, row.confidence, row.expires_at)
    try:
        assignment.check(tag, given, now)
    except ValidationError as error:
        name, reasons = next(iter(error.message_dict.items()))
        return Outcome(REJECTED, name, reasons[0])
    return given


def _columns(mapping: Mapping[str, str], columns: Sequence[str]) -> dict[str, str]:
    for name, column in mapping.items():
        if name not in FIELDS:
            raise MappingError(f"{name}: is none of the fields {', '.join(FIELDS)}")
        if column not in columns:
            raise MappingError(f"{column}: is none of the file's columns {', '.join(columns)}")
    completed = {**{name: name for name in FIELDS if name in columns}, **mapping}
    if not any(name in completed for name in ("uid", *IDENTIFIERS)):
        raise MappingError(f"map at least one of uid, {', '.join(IDENTIFIERS)}")
    return completed


def _row(batch: Batch, place: int, columns: Mapping[str, str], now: datetime) -> PersonInput | InputError:
    if place in batch.malformed:
        return InputError("", batch.malformed[place].reason)
    row = batch.row(place)
    named = {name: cells.text(row[columns[name]]) for name in ("uid", *IDENTIFIERS) if name in columns}
    identifier = next((name for name, value in named.items() if value), None)
    if identifier is None:
        return InputError("", _("names nobody"))
    try:
        return PersonInput(
            identifier, named[identifier], weight=_number(row, columns, "weight", float),
            confidence=_number(row, columns, "confidence", Decimal), expires_at=_moment(row, columns),
        )  # fmt: skip
    except InputError as error:
        return error


def _number(row: Mapping[str, Any], columns: Mapping[str, str], name: str, read: Callable[[str], Any]) -> Any:
    cell = row[columns[name]] if name in columns else None
    if cells.is_missing(cell):
        return None
    try:
        return read(str(cell))
    except (ValueError, InvalidOperation):
        raise InputError(name, _("is not a number")) from None


def _moment(row: Mapping[str, Any], columns: Mapping[str, str]) -> datetime | None:
    cell = row[columns["expires_at"]] if "expires_at" in columns else None
    if cells.is_missing(cell):
        return None
    try:
        read = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell))
    except ValueError:
        raise InputError("expires_at", _("is not an ISO 8601 time such as 2026-03-02T12:00:00+08:00")) from None
    return event_line.utc(read if read.tzinfo else read.replace(tzinfo=ZoneInfo(settings.TIME_ZONE)))


def _uid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None
