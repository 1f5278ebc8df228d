"""Storing the events that the rows of a file tell of (`segments.event_rows`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from segments import cells, event_line
from segments.event_rows import EventRowReader, EventRows
from segments.identities import Named
from segments.imports.batch import Batch
from segments.imports.outcome import Outcome
from segments.profile_input import InputError, ProfileInput
from segments.selectors.cleaning import EventRules
from segments.selectors.value_types import event_schemas
from segments.services import event_store, profiles, quality
from segments.services.events import UnknownPersonError, find_owners
from segments.services.quarantine_intake import Holding


@dataclass(frozen=True)
class EventFile:
    """One file of events. `create_missing` makes people who are not known; their rows are refused otherwise."""

    reader: EventRowReader
    create_missing: bool
    actor: str

    def reading(self) -> Callable[[Batch], EventRows]:
        """How to read the next batch: by the cleaning rules and declared types as they are now."""
        plan = EventRules(self.reader.source).plan(self.reader.name)
        schema = event_schemas([self.reader.name]).get(self.reader.name, {})
        return partial(self.reader.read, plan=plan, schema=schema)

    def store(self, rows: EventRows) -> Outcome:
        """Store the rows that fit and say of the others why not. The caller owns the transaction."""
        source, now = self.reader.source, self.reader.now
        owners = self._owners(rows)
        refused = dict(rows.refused)
        for place, owner in enumerate(owners):
            if isinstance(owner, InputError):
                refused.setdefault(place, owner)
        lines = _lines(owners, rows, refused)
        places = _first_places(rows, refused) if rows.held or rows.plan.limits else {}
        judged = {dedup: rows.held[place] for dedup, place in places.items() if place in rows.held}
        holding = Holding(judged, rows.plan.limits)
        new = event_store.store_and_count(
            source=source, lines=lines, months=rows.months(), now=now, take_out=holding.take_out
        )
        holding.keep(source=source, lines=lines, came=lambda dedup: rows.batch.row(places[dedup]), now=now)
        kept = len(holding.kept)
        duplicates = rows.batch.size - new - kept - len(refused)
        outcome = Outcome(accepted=new, duplicates=duplicates, refused=refused, held=kept)
        quality.count(source=source, counts=self._counts(rows, outcome), now=now)
        return outcome

    def _owners(self, rows: EventRows) -> list[int | InputError]:
        """The person of each row by the first identifier that it gives; refused rows bring nobody into being."""
        people = find_owners(rows.keys)
        if self.create_missing:
            wanted = {name: None for place, name in enumerate(rows.named) if place not in rows.refused}
            people |= self._create([name for name in wanted if isinstance(people[name], UnknownPersonError)])
        return [people[name] for name in rows.named]

    def _create(self, unknown: Sequence[Named]) -> dict[Named, int | InputError]:
        if not unknown:
            return {}
        inputs = [_person(*name) for name in unknown]
        source, now = self.reader.source, self.reader.now
        results = profiles.upsert_many(source=source, inputs=inputs, actor=self.actor, now=now)
        return {
            name: result.profile_id or InputError(result.field, result.reason)
            for name, result in zip(unknown, results, strict=True)
        }

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
            timely=_timely(rows, event_line.utc(earliest).isoformat(), outcome.refused) if earliest else 0,
            held=outcome.held,
        )

    def _complete(self, rows: EventRows, wanted: Sequence[str], refused: Mapping[int, InputError]) -> int:
        """How many of the rows that are not refused miss none of these fields."""
        if any(field not in rows.mapping for field in wanted):
            return 0
        gaps = zip(*[rows.batch.column(rows.mapping[field], cells.is_missing) for field in wanted], strict=True)
        return sum(not any(row) for place, row in enumerate(gaps) if place not in refused)


def _lines(owners: Sequence[int | InputError], rows: EventRows, refused: Mapping[int, InputError]) -> dict[str, str]:
    """The lines to store, as `event_line.COLUMNS` has them, by dedup key; the first of equal keys counts."""
    lines: dict[Any, str] = {}
    for place, (owner, dedup, description) in enumerate(zip(owners, rows.dedups, rows.descriptions, strict=True)):
        if place not in refused and dedup not in lines:
            lines[dedup] = f"{owner}\t{description}"
    return lines


def _first_places(rows: EventRows, refused: Mapping[int, InputError]) -> dict[str, int]:
    """Where each event stands that is not refused; of equal ones the first, as `_lines` has it."""
    places: dict[str, int] = {}
    for place, dedup in enumerate(rows.dedups):
        if place not in refused and isinstance(dedup, str):
            places.setdefault(dedup, place)
    return places


def _timely(rows: EventRows, earliest: str, refused: Mapping[int, InputError]) -> int:
    """How many of the rows that are not refused happened at `earliest` or later; ISO times in UTC sort as texts."""
    return sum(
        place not in refused and moment >= earliest
        for place, moment in enumerate(rows.moments)
        if isinstance(moment, str)
    )


def _person(field: str, value: str) -> ProfileInput:
    fields: dict[str, Any] = {field: value}
    return ProfileInput(**fields)
