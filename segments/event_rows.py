"""The rows of a file of events, read by column: a distinct cell is read once, and a row never becomes an object.
Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from segments import cells, event_columns, event_input, event_line, identities, value_types
from segments.cleaning import Plan, Verdict, clean_columns
from segments.event_columns import Column
from segments.identities import NOBODY, IdentityKey, Named
from segments.imports.batch import Batch, Encoded, OverlaidBatch, encode
from segments.models import Source
from segments.profile_input import IDENTIFIERS, InputError

PROPERTY = "properties."
CLEANED = "\0"  # in front of a field's name: its column after the rules; no column of a file is called so


@dataclass(frozen=True)
class NamedPeople:
    """Who is named in a batch: each once, with the key to look them up by or why there is none; `places` has for each
    row which of them it is about."""

    names: Sequence[Named]
    keys: Sequence[IdentityKey | InputError]
    places: pa.Int32Array


@dataclass(frozen=True)
class EventRows:
    """What the rows of one batch say. Arrays have an item for each row, mappings are by its place in the batch.

    `mapping` is of fields to the columns of `batch`. `moments` are as `event_columns.moments` writes them.
    `descriptions` are rows as `event_line.COLUMNS` has them, but for the person in front; null for some refused ones.
    """

    batch: Batch
    mapping: Mapping[str, str]
    plan: Plan
    refused: Mapping[int, InputError]
    held: Mapping[int, Verdict]
    dedups: pa.Array
    moments: pa.Array
    descriptions: pa.Array
    people: NamedPeople

    def months(self) -> set[date]:
        """The first days of the months (UTC) in which something happened."""
        names = pc.unique(pc.utf8_slice_codeunits(self.moments, 0, 7)).to_pylist()
        return {date.fromisoformat(f"{name}-01") for name in names if name}


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
        dedups = event_columns.dedups(self._event_ids(batch), self.source.key)
        moments = event_columns.moments(batch.encoded(self.mapping["occurred_at"]), zone=self.zone, now=self.now)
        amounts, currencies = self._money(batch)
        columns = [dedups, moments, amounts, currencies, self._categories(batch)]
        members = self._members(batch, schema)
        return EventRows(
            batch=batch, mapping=self.mapping, plan=plan,
            refused=_first_errors(batch, rejected, [*columns, *members]), held=held, dedups=dedups.texts,
            moments=moments.texts, descriptions=self._descriptions(columns, members, batch.size),
            people=self._people(batch),
        )  # fmt: skip

    def _descriptions(self, columns: Sequence[Column], members: list[Column], size: int) -> pa.Array:
        dedup, moment, amount, currency, category = (column.texts for column in columns)
        properties = event_columns.properties(members, size)
        return pc.binary_join_element_wise(moment, dedup, self.name, amount, currency, category, properties, "\t")

    def _event_ids(self, batch: Batch) -> Encoded:
        if "event_id" in self.mapping:
            return batch.encoded(self.mapping["event_id"])
        numbers = range(batch.first, batch.last + 1)
        ids = pa.array([f"{self.file_key}:{number}" for number in numbers], pa.string())
        return Encoded(ids, pa.array(range(batch.size), pa.int32()))

    def _column(self, batch: Batch, field: str, one: Callable[[Any], str]) -> Column:
        return event_columns.read(batch.encoded(self.mapping[field]), one)

    def _money(self, batch: Batch) -> tuple[Column, Column]:
        """Amounts and their currencies; where there is no amount, the currency is empty."""
        if "amount" not in self.mapping:
            return Column.constant(event_line.NULL, batch.size), Column.constant("", batch.size)
        amounts = event_columns.amounts(batch.encoded(self.mapping["amount"]))
        currencies = Column.constant(self.currency, batch.size)
        if "currency" in self.mapping:
            currencies = self._column(batch, "currency", self._currency)
        missing = pc.equal(amounts.texts, event_line.NULL)
        of_nothing = pc.fill_null(missing, False)
        errors = {place: error for place, error in currencies.errors.items() if not of_nothing[place].as_py()}
        return amounts, Column(pc.if_else(of_nothing, "", currencies.texts), errors)

    def _currency(self, cell: Any) -> str:
        read = cells.text(cell) or self.currency
        event_input.check_currency(read, needed=True)
        return read

    def _categories(self, batch: Batch) -> Column:
        if "category" not in self.mapping:
            return Column.constant("", batch.size)
        return self._column(batch, "category", event_line.category)

    def _members(self, batch: Batch, schema: value_types.Schema) -> list[Column]:
        names = [field.removeprefix(PROPERTY) for field in self.mapping if field.startswith(PROPERTY)]
        lacking = [name for name, declared in schema.items() if declared.required and name not in names]
        absent = [Column.constant(InputError(f"{PROPERTY}{name}", "is required"), batch.size) for name in lacking]
        read = [self._column(batch, f"{PROPERTY}{name}", partial(_member, name, schema.get(name))) for name in names]
        return [*read, *absent]

    def _people(self, batch: Batch) -> NamedPeople:
        """Each row's person, by the first identifier that it gives."""
        fields = [field for field in IDENTIFIERS if field in self.mapping]
        if len(fields) == 1:
            encoded = batch.encoded(self.mapping[fields[0]])
            named = [_identifier(fields[0], cell) or NOBODY for cell in encoded.cells()]
        else:
            given = [batch.column(self.mapping[field], partial(_identifier, field)) for field in fields]
            encoded = encode(next(filter(None, row), NOBODY) for row in zip(*given, strict=True))
            named = encoded.cells()
        return NamedPeople(named, identities.keys_or_errors(named, self.source), encoded.places)


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
        for place, error in column.errors.items():
            found.setdefault(place, error)
    return found
