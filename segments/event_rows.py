"""The rows of a file of events, read by column. A distinct cell is read once and a row never becomes an object: a
million lines of purchases hold far fewer different times, people, amounts and categories. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from itertools import repeat
from typing import Any
from zoneinfo import ZoneInfo

from segments import cells, event_input, event_line, identities, value_types
from segments.cleaning import Plan, Verdict, clean_columns
from segments.identities import NOBODY, IdentityKey, Named
from segments.imports.batch import Batch, OverlaidBatch
from segments.models import Source
from segments.profile_input import IDENTIFIERS, InputError

PROPERTY = "properties."
CLEANED = "\0"  # in front of a field's name: its column after the rules; no column of a file is called so
Column = Sequence[str | InputError]


@dataclass(frozen=True)
class EventRows:
    """What the rows of one batch say. Sequences have an item for each row, mappings are by its place in the batch.

    `mapping` is of fields to the columns of `batch`. `descriptions` are rows as `event_line.COLUMNS` has them, but for
    the person in front; '' for refused ones. `keys` tells how those who are named are looked up, or why they cannot be.
    """

    batch: Batch
    mapping: Mapping[str, str]
    plan: Plan
    refused: Mapping[int, InputError]
    held: Mapping[int, Verdict]
    dedups: Column
    moments: Column
    descriptions: Sequence[str]
    named: Sequence[Named]
    keys: Mapping[Named, IdentityKey | InputError]

    def months(self) -> set[date]:
        """The first days of the months (UTC) in which something happened."""
        names = {moment[:7] for moment in self.moments if isinstance(moment, str)}
        return {date.fromisoformat(f"{name}-01") for name in names}


@dataclass(frozen=True)
class EventRowReader:
    """How the rows of one file become events called `name`; `file_key` stands for it where rows have no event id."""

    source: Source
    mapping: Mapping[str, str]
    file_key: str
    name: str
    currency: str
    zone: ZoneInfo
    now: datetime

    def read(self, batch: Batch, plan: Plan, schema: value_types.Schema) -> EventRows:
        """Apply the cleaning rules, then read the cells; `schema` has the declared types of properties."""
        if plan.is_empty:
            return self._read(batch, plan, schema, {}, {})
        cleaned = clean_columns(plan, batch, self.mapping)
        overlay = {f"{CLEANED}{name}": column for name, column in cleaned.columns.items()}
        reader = replace(self, mapping={**self.mapping, **{name: f"{CLEANED}{name}" for name in cleaned.columns}})
        return reader._read(OverlaidBatch(batch, overlay), plan, schema, cleaned.rejected, cleaned.held)

    def _read(
        self, batch: Batch, plan: Plan, schema: value_types.Schema, rejected: Mapping[int, Verdict],
        held: Mapping[int, Verdict],
    ) -> EventRows:  # fmt: skip
        dedups, moments = self._dedups(batch), self._column(batch, "occurred_at", self._moment)
        amounts, currencies = self._money(batch)
        columns = [dedups, moments, amounts, currencies, self._categories(batch)]
        members = self._members(batch, schema)
        refused = _first_errors(batch, rejected, [*columns, *members])
        named = self._named(batch)
        return EventRows(
            batch=batch, mapping=self.mapping, plan=plan, refused=refused, held=held, dedups=dedups, moments=moments,
            descriptions=self._descriptions(columns, members, refused), named=named,
            keys={name: identities.key_or_error(name, self.source) for name in set(named)},
        )  # fmt: skip

    def _descriptions(
        self, columns: Sequence[Column], members: Sequence[Column], refused: Mapping[int, InputError]
    ) -> list[str]:
        properties: Iterable[Sequence[Any]] = zip(*members, strict=True) if members else repeat(())
        rows = zip(*columns, properties, strict=False)
        return [
            ""
            if place in refused
            else f"{moment}\t{dedup}\t{self.name}\t{amount}\t{currency}\t{category}\t{event_line.properties(row)}"
            for place, (dedup, moment, amount, currency, category, row) in enumerate(rows)
        ]

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

    def _named(self, batch: Batch) -> list[Named]:
        """Each row's person, by the first identifier that it gives."""
        fields = [field for field in IDENTIFIERS if field in self.mapping]
        given = [batch.column(self.mapping[field], partial(_identifier, field)) for field in fields]
        return [next(filter(None, row), NOBODY) for row in zip(*given, strict=True)]


def _tried(read: Callable[[Any], str], cell: Any) -> str | InputError:
    try:
        return read(cell)
    except InputError as error:
        return error


def _identifier(field: str, cell: Any) -> Named | None:
    value = cells.text(cell)
    return (field, value) if value else None


def _member(name: str, declared: value_types.Declared | None, cell: Any) -> str:
    if declared is not None:
        cell = value_types.from_cell(declared, cell, field=f"{PROPERTY}{name}")
    return event_line.member(name, cell)


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
