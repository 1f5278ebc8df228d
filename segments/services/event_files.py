"""Storing the events that the rows of a file tell of (`segments.event_rows`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from segments import cells, event_columns
from segments.cleaning import Verdict
from segments.event_rows import EventRowReader, EventRows
from segments.imports.batch import Batch
from segments.imports.outcome import Outcome
from segments.profile_input import InputError, ProfileInput
from segments.selectors.cleaning import EventRules
from segments.selectors.value_types import event_schemas
from segments.services import event_store, profiles, quality
from segments.services.events import UnknownPersonError, find_owners
from segments.services.quarantine_intake import Holding

Owners = list[int | InputError]


@dataclass
class EventFile:
    """One file of events. `create_missing` makes people who are not known; their rows are refused otherwise."""

    reader: EventRowReader
    create_missing: bool
    actor: str
    _seems_new: bool = field(default=True, init=False)  # no row so far was known already

    def reading(self) -> Callable[[Batch], tuple[EventRows, Owners]]:
        """How to read the next batch and find its people: by the cleaning rules and declared types as they are now."""
        plan = EventRules(self.reader.source).plan(self.reader.name)
        schema = event_schemas([self.reader.name]).get(self.reader.name, {})

        def read(batch: Batch) -> tuple[EventRows, Owners]:
            rows = self.reader.read(batch, plan, schema)
            return rows, find_owners(rows.people.names, rows.people.keys)

        return read

    def store(self, read: tuple[EventRows, Owners]) -> Outcome:
        """Store the rows that fit and say of the others why not. The caller owns the transaction."""
        rows, owners = read
        source, now = self.reader.source, self.reader.now
        if self.create_missing:
            self._create(rows, owners)
        refused = {**_unowned(rows, owners), **rows.refused}
        lines = _Lines(rows, owners, refused)
        holding = Holding(lines.judged(), rows.plan.limits)
        new = event_store.store_and_count(
            source=source, lines=lines.written(), count=len(lines.texts), months=rows.months(), now=now,
            are_new=self._seems_new, take_out=holding.take_out,
        )  # fmt: skip
        holding.keep(
            source=source, lines=lines.by_dedup, came=lambda dedup: rows.batch.row(lines.places[dedup]), now=now
        )
        kept = len(holding.kept)
        duplicates = rows.batch.size - new - kept - len(refused)
        self._seems_new = not duplicates
        outcome = Outcome(accepted=new, duplicates=duplicates, refused=refused, held=kept)
        quality.count(source=source, counts=self._counts(rows, outcome), now=now)
        return outcome

    def _create(self, rows: EventRows, owners: Owners) -> None:
        """Bring those into being who are not known; refused rows bring nobody."""
        if not any(isinstance(owner, UnknownPersonError) for owner in owners):
            return
        wanted = {place for row, place in enumerate(rows.people.places.to_pylist()) if row not in rows.refused}
        unknown = [place for place in sorted(wanted) if isinstance(owners[place], UnknownPersonError)]
        inputs = [_person(*rows.people.names[place]) for place in unknown]
        source, now = self.reader.source, self.reader.now
        results = profiles.upsert_many(source=source, inputs=inputs, actor=self.actor, now=now)
        for place, result in zip(unknown, results, strict=True):
            owners[place] = result.profile_id or InputError(result.field, result.reason)

    def _counts(self, rows: EventRows, outcome: Outcome) -> quality.Counts:
        standard, valid = quality.standard_of(self.reader.source), rows.batch.size - len(outcome.refused)
        wanted, earliest = standard.event_fields, quality.earliest_timely(standard, self.reader.now)
        return quality.Counts(
            received=rows.batch.size,
            valid=valid,
            unique=valid - outcome.duplicates,
            asked_complete=valid if wanted else 0,
            complete=self._complete(rows, wanted, outcome.refused) if wanted else 0,
            asked_timely=valid if earliest else 0,
            timely=_timely(rows, event_columns.moment_text(earliest), outcome.refused) if earliest else 0,
            held=outcome.held,
        )

    def _complete(self, rows: EventRows, wanted: Sequence[str], refused: Mapping[int, InputError]) -> int:
        """How many of the rows that are not refused miss none of these fields."""
        if any(field not in rows.mapping for field in wanted):
            return 0
        gaps = zip(*[rows.batch.column(rows.mapping[field], cells.is_missing) for field in wanted], strict=True)
        return sum(not any(row) for place, row in enumerate(gaps) if place not in refused)


class _Lines:
    """The lines to store, as `event_line.COLUMNS` has them: of rows that are not refused, and of rows with equal dedup
    keys the first."""

    def __init__(self, rows: EventRows, owners: Owners, refused: Mapping[int, InputError]) -> None:
        self._rows = rows
        ids = pa.array([None if isinstance(owner, InputError) else owner for owner in owners], pa.int64())
        wanted = _wanted(rows, refused)
        self._dedups = rows.dedups.take(wanted)
        owned = ids.take(rows.people.places.take(wanted)).cast(pa.string())
        self.texts = pc.binary_join_element_wise(owned, rows.descriptions.take(wanted), "\t")
        # By dedup key, for the few that a rule may hold.
        is_watched = bool(rows.held or rows.plan.limits)
        self.places = dict(zip(self._dedups.to_pylist(), wanted.to_pylist(), strict=True)) if is_watched else {}
        self.by_dedup = dict(zip(self.places, self.texts.to_pylist(), strict=True)) if is_watched else {}

    def judged(self) -> dict[str, Verdict]:
        """The rows that a rule holds, by dedup key."""
        held = self._rows.held
        return {dedup: held[place] for dedup, place in self.places.items() if place in held}

    def written(self) -> bytes:
        """All lines as COPY reads them."""
        return "\n".join(self.texts.to_pylist()).encode()


def _unowned(rows: EventRows, owners: Owners) -> dict[int, InputError]:
    """The rows whose person is not known, and why."""
    errors = {place: owner for place, owner in enumerate(owners) if isinstance(owner, InputError)}
    return dict(event_columns.by_row(errors, rows.people.places))


def _wanted(rows: EventRows, refused: Mapping[int, InputError]) -> pa.Array:
    """The places of the rows to store."""
    places = pa.array(range(rows.batch.size), pa.int32())
    if refused:
        places = places.filter(pc.invert(pc.is_in(places, value_set=pa.array(list(refused), pa.int32()))))
    dedups = rows.dedups.take(places)
    if pc.count_distinct(dedups).as_py() == len(dedups):
        return places
    first: dict[str, int] = {}
    for place, dedup in zip(places.to_pylist(), dedups.to_pylist(), strict=True):
        first.setdefault(dedup, place)
    return pa.array(list(first.values()), pa.int32())


def _timely(rows: EventRows, earliest: str, refused: Mapping[int, InputError]) -> int:
    """How many of the rows that are not refused happened at `earliest` or later."""
    moments = rows.moments.to_pylist()
    return sum(place not in refused and moment >= earliest for place, moment in enumerate(moments) if moment)


def _person(field: str, value: str) -> ProfileInput:
    fields: dict[str, Any] = {field: value}
    return ProfileInput(**fields)
