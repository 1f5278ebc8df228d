"""Events from the columns of a file. A distinct cell is read once and a row never becomes an object: a million lines of
purchases hold far fewer different times, people, amounts and categories."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from itertools import repeat
from typing import Any
from zoneinfo import ZoneInfo

from segments import cells, event_input, event_line, value_types
from segments.cleaning import Plan, Verdict, clean_columns
from segments.imports.batch import Batch, OverlaidBatch
from segments.imports.outcome import Outcome
from segments.models import Source
from segments.profile_input import IDENTIFIERS, InputError, ProfileInput
from segments.selectors.cleaning import EventRules
from segments.selectors.value_types import event_schemas
from segments.services import event_store, profiles, quality
from segments.services.events import Named, UnknownPersonError, find_people
from segments.services.quarantine_intake import Holding

PROPERTY = "properties."
NOBODY = ("", "")
CLEANED = "\0"  # in front of a field's name: its column after the rules; no column of a file is called so
Column = Sequence[str | InputError]


@dataclass(frozen=True)
class EventFile:
    """How the rows of one file become events called `name`; `file_key` stands for it where rows have no event id."""

    source: Source
    mapping: Mapping[str, str]
    file_key: str
    name: str
    currency: str
    zone: ZoneInfo
    create_missing: bool
    actor: str
    now: datetime

    def take(self, batch: Batch) -> Outcome:
        """Store the rows that fit and say of the others why not. The caller owns the transaction.

        Cleaning rules and declared types are read once per batch.
        """
        plan = EventRules(self.source).plan(self.name)
        schema = event_schemas([self.name]).get(self.name, {})
        if plan.is_empty:
            return self._take(batch, plan, schema, {}, {})
        cleaned = clean_columns(plan, batch, self.mapping)
        overlay = {f"{CLEANED}{field}": column for field, column in cleaned.columns.items()}
        file = replace(self, mapping={**self.mapping, **{field: f"{CLEANED}{field}" for field in cleaned.columns}})
        return file._take(OverlaidBatch(batch, overlay), plan, schema, cleaned.rejected, cleaned.held)

    def _take(
        self, batch: Batch, plan: Plan, schema: value_types.Schema, rejected: Mapping[int, Verdict],
        held: Mapping[int, Verdict],
    ) -> Outcome:  # fmt: skip
        moments = self._column(batch, "occurred_at", self._moment)
        columns = [self._dedups(batch), moments, *self._money(batch), self._categories(batch)]
        members = self._members(batch, schema)
        refused = _first_errors(batch, rejected, [*columns, *members])
        owners = self._owners(batch, refused)
        for place, owner in enumerate(owners):
            if isinstance(owner, InputError):
                refused.setdefault(place, owner)
        lines = self._lines(owners, columns, members, refused)
        places = _first_places(columns[0], refused) if held or plan.limits else {}
        holding = Holding(
            {dedup: held[place] for dedup, place in places.items() if place in held} if held else {}, plan.limits
        )
        new = event_store.store_and_count(
            source=self.source, lines=lines, months=_months(moments), now=self.now, take_out=holding.take_out
        )
        holding.keep(source=self.source, lines=lines, came=lambda dedup: batch.row(places[dedup]), now=self.now)
        kept = len(holding.kept)
        outcome = Outcome(accepted=new, duplicates=batch.size - new - kept - len(refused), refused=refused, held=kept)
        quality.count(source=self.source, counts=self._counts(batch, moments, outcome), now=self.now)
        return outcome

    def _counts(self, batch: Batch, moments: Column, outcome: Outcome) -> quality.Counts:
        standard, valid = quality.standard_of(self.source), batch.size - len(outcome.refused)
        wanted, earliest = standard.event_fields, quality.earliest_timely(standard, self.now)
        return quality.Counts(
            received=batch.size,
            valid=valid,
            unique=valid - outcome.duplicates,
            asked_complete=valid if wanted else 0,
            complete=self._complete(batch, wanted, outcome.refused) if wanted else 0,
            asked_timely=valid if earliest else 0,
            timely=_timely(moments, event_line.utc(earliest).isoformat(), outcome.refused) if earliest else 0,
            held=outcome.held,
        )

    def _complete(self, batch: Batch, wanted: Sequence[str], refused: Mapping[int, InputError]) -> int:
        """How many of the rows that are not refused miss none of these fields."""
        if any(field not in self.mapping for field in wanted):
            return 0
        gaps = zip(*[batch.column(self.mapping[field], cells.is_missing) for field in wanted], strict=True)
        return sum(not any(row) for place, row in enumerate(gaps) if place not in refused)

    def _lines(
        self,
        owners: Sequence[int | InputError],
        columns: Sequence[Column],
        members: Sequence[Column],
        refused: Mapping[int, InputError],
    ) -> dict[str, str]:
        """The lines to store, as `event_line.COLUMNS` has them, by dedup key; the first of equal keys counts."""
        properties: Iterable[Sequence[Any]] = zip(*members, strict=True) if members else repeat(())
        lines: dict[str, str] = {}
        rows = zip(owners, *columns, properties, strict=False)
        for place, (owner, dedup, moment, amount, currency, category, row) in enumerate(rows):
            if place not in refused and dedup not in lines:
                rest = event_line.properties(row)
                lines[dedup] = f"{owner}\t{moment}\t{dedup}\t{self.name}\t{amount}\t{currency}\t{category}\t{rest}"
        return lines

    def _column(self, batch: Batch, field: str, read: Callable[[Any], str]) -> Column:
        return batch.column(self.mapping[field], partial(_tried, read))

    def _moment(self, cell: Any) -> str:
        return event_line.moment(cell, zone=self.zone, now=self.now).isoformat()

    def _dedups(self, batch: Batch) -> Column:
        if "event_id" not in self.mapping:
            numbers = range(batch.first, batch.last + 1)
            return [self._dedup(f"{self.file_key}:{number}") for number in numbers]
        return self._column(batch, "event_id", lambda cell: self._dedup(cells.text(cell)))

    def _dedup(self, event_id: str) -> str:
        event_input.check_event_id(event_id)
        return event_input.dedup_key(self.source.key, event_id)

    def _money(self, batch: Batch) -> tuple[Column, Column]:
        """Amounts and their currencies; where there is no amount, the currency is empty."""
        if "amount" not in self.mapping:
            return [event_line.NULL] * batch.size, [""] * batch.size
        amounts = self._column(batch, "amount", event_line.amount)
        currencies: Column = [self.currency] * batch.size
        if "currency" in self.mapping:
            currencies = self._column(batch, "currency", self._currency)
        pairs = zip(amounts, currencies, strict=True)
        return amounts, ["" if amount == event_line.NULL else currency for amount, currency in pairs]

    def _currency(self, cell: Any) -> str:
        read = cells.text(cell) or self.currency
        event_input.check_currency(read, needed=True)
        return read

    def _categories(self, batch: Batch) -> Column:
        if "category" not in self.mapping:
            return [""] * batch.size
        return self._column(batch, "category", event_line.category)

    def _members(self, batch: Batch, schema: value_types.Schema) -> list[Column]:
        names = [field.removeprefix(PROPERTY) for field in self.mapping if field.startswith(PROPERTY)]
        lacking = [name for name, declared in schema.items() if declared.required and name not in names]
        absent: list[Column] = [[InputError(f"{PROPERTY}{name}", "is required")] * batch.size for name in lacking]
        read = [self._column(batch, f"{PROPERTY}{name}", partial(_member, name, schema.get(name))) for name in names]
        return [*read, *absent]

    def _owners(self, batch: Batch, refused: Mapping[int, InputError]) -> list[int | InputError]:
        """The person of each row by the first identifier that it gives; `refused` rows bring nobody into being."""
        fields = [field for field in IDENTIFIERS if field in self.mapping]
        given = [batch.column(self.mapping[field], partial(_named, field)) for field in fields]
        named = [next(filter(None, row), NOBODY) for row in zip(*given, strict=True)]
        people = find_people(source=self.source, named=set(named))
        if self.create_missing:
            wanted = {name: None for place, name in enumerate(named) if place not in refused}
            people |= self._create([name for name in wanted if isinstance(people[name], UnknownPersonError)])
        return [people[name] for name in named]

    def _create(self, unknown: Sequence[Named]) -> dict[Named, int | InputError]:
        if not unknown:
            return {}
        inputs = [_person(*name) for name in unknown]
        results = profiles.upsert_many(source=self.source, inputs=inputs, actor=self.actor, now=self.now)
        return {
            name: result.profile_id or InputError(result.field, result.reason)
            for name, result in zip(unknown, results, strict=True)
        }


def _tried(read: Callable[[Any], str], cell: Any) -> str | InputError:
    try:
        return read(cell)
    except InputError as error:
        return error


def _named(field: str, cell: Any) -> Named | None:
    value = cells.text(cell)
    return (field, value) if value else None


def _person(field: str, value: str) -> ProfileInput:
    fields: dict[str, Any] = {field: value}
    return ProfileInput(**fields)


def _member(name: str, declared: value_types.Declared | None, cell: Any) -> str:
    if declared is not None:
        cell = value_types.from_cell(declared, cell, field=f"{PROPERTY}{name}")
    return event_line.member(name, cell)


def _first_places(dedups: Column, refused: Mapping[int, InputError]) -> dict[str, int]:
    """Where each event stands that is not refused; of equal ones the first, as `_lines` has it."""
    places: dict[str, int] = {}
    for place, dedup in enumerate(dedups):
        if place not in refused and isinstance(dedup, str):
            places.setdefault(dedup, place)
    return places


def _timely(moments: Column, earliest: str, refused: Mapping[int, InputError]) -> int:
    """How many of the rows that are not refused happened at `earliest` or later; ISO times in UTC sort as texts."""
    return sum(
        place not in refused and moment >= earliest for place, moment in enumerate(moments) if isinstance(moment, str)
    )


def _first_errors(batch: Batch, rejected: Mapping[int, Verdict], columns: Sequence[Column]) -> dict[int, InputError]:
    """By place, what is wrong with rows: their shape, the rule that rejects them, or else the first bad cell."""
    found = {place: InputError("row", row.reason) for place, row in batch.malformed.items()}
    for place, verdict in rejected.items():
        found.setdefault(place, InputError(verdict.field, verdict.reason))
    for column in columns:
        for place, cell in enumerate(column):
            if isinstance(cell, InputError):
                found.setdefault(place, cell)
    return found


def _months(moments: Column) -> set[date]:
    names = {moment[:7] for moment in moments if isinstance(moment, str)}
    return {date.fromisoformat(f"{name}-01") for name in names}
