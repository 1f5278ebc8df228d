"""Storing the events that the rows of a file tell of (`segments.event_rows`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from segments import cells, event_columns
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


@dataclass(frozen=True)
class _Prepared:
    """A batch ready to be stored: its rows, the people they name, which are refused, and the lines of the others."""

    rows: EventRows
    owners: Owners
    refused: Mapping[int, InputError]
    lines: "_Lines"

    @classmethod
    def of(cls, rows: EventRows, owners: Owners) -> "_Prepared":
        refused = {**_unowned(rows, owners), **rows.refused}
        return cls(rows, owners, refused, _Lines(rows, owners, refused))


@dataclass
class EventFile:
    """One file of events. `create_missing` makes people who are not known; their rows are refused otherwise."""

    reader: EventRowReader
    create_missing: bool
    actor: str
    _seems_new: bool = field(default=True, init=False)  # no row of the batch before was known already

    def reading(self) -> Callable[[Batch], _Prepared]:
        """How to read the next batch and find its people: by the cleaning rules and declared types as they are now."""
        plan = EventRules(self.reader.source).plan(self.reader.name)
        schema = event_schemas([self.reader.name]).get(self.reader.name, {})

        def read(batch: Batch) -> _Prepared:
            rows = self.reader.read(batch, plan, schema)
            return _Prepared.of(rows, find_owners(rows.people.names, rows.people.keys))

        return read

    def store(self, prepared: _Prepared) -> Outcome:
        """Store the rows that fit and say of the others why not. The caller owns the transaction."""
        if self.create_missing:
            prepared = self._with_created(prepared)
        rows, lines = prepared.rows, prepared.lines
        source, now = self.reader.source, self.reader.now
        holding = Holding(lines.judged, rows.plan.limits)
        new = event_store.store_and_count(
            source=source, lines=lines.written, count=lines.count, months=rows.months(), now=now,
            are_new=self._seems_new, take_out=holding.take_out,
        )  # fmt: skip
        holding.keep(
            source=source, lines=lines.by_dedup, came=lambda dedup: rows.batch.row(lines.places[dedup]), now=now
        )
        kept = len(holding.kept)
        duplicates = rows.batch.size - new - kept - len(prepared.refused)
        self._seems_new = not duplicates
        outcome = Outcome(accepted=new, duplicates=duplicates, refused=prepared.refused, held=kept)
        quality.count(source=source, counts=self._counts(rows, outcome), now=now)
        return outcome

    def _with_created(self, prepared: _Prepared) -> _Prepared:
        """Bring those into being who are not known; refused rows bring nobody."""
        rows, owners = prepared.rows, list(prepared.owners)
        if not any(isinstance(owner, UnknownPersonError) for owner in owners):
            return prepared
        wanted = {place for row, place in enumerate(rows.people.places.to_pylist()) if row not in rows.refused}
        unknown = [place for place in sorted(wanted) if isinstance(owners[place], UnknownPersonError)]
        inputs = [_person(*rows.people.names[place]) for place in unknown]
        source, now = self.reader.source, self.reader.now
        results = profiles.upsert_many(source=source, inputs=inputs, actor=self.actor, now=now)
        for place, result in zip(unknown, results, strict=True):
            owners[place] = result.profile_id or InputError(result.field, result.reason)
        return _Prepared.of(rows, owners)

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
    """The lines to store, as COPY reads them: of rows that are not refused, of those with equal dedup keys the first.
    They come in the order of people and times, in which PostgreSQL works on them.

    `places`, `by_dedup` and `judged`, by dedup key, are filled where a rule may hold rows.
    """

    def __init__(self, rows: EventRows, owners: Owners, refused: Mapping[int, InputError]) -> None:
        wanted = _wanted(rows, refused)
        ids = pa.array([None if isinstance(owner, InputError) else owner for owner in owners], pa.int64())
        owned = ids.take(rows.people.places.take(wanted))
        by_person = pa.table({"person": owned, "moment": rows.moments.take(wanted)})
        order = pc.sort_indices(by_person, sort_keys=[("person", "ascending"), ("moment", "ascending")])
        wanted = wanted.take(order)
        texts = pc.binary_join_element_wise(
            owned.take(order).cast(pa.string()), rows.descriptions.take(wanted), "\t"
        ).to_pylist()
        self.count = len(texts)
        self.written = "\n".join(texts).encode()
        self.places: dict[str, int] = {}
        self.by_dedup: dict[str, str] = {}
        if rows.held or rows.plan.limits:
            dedups = rows.dedups.take(wanted).to_pylist()
            self.places = dict(zip(dedups, wanted.to_pylist(), strict=True))
            self.by_dedup = dict(zip(dedups, texts, strict=True))
        self.judged = {dedup: rows.held[place] for dedup, place in self.places.items() if place in rows.held}


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
