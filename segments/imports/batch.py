"""Successive rows of a file, read by column: a cell that repeats, as most do, is converted once."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa

T = TypeVar("T")
Convert = Callable[[Any], T]


@dataclass(frozen=True)
class Malformed:
    """A row that does not have the file's columns; `cells` is what was there."""

    cells: list[Any]
    reason: str


@dataclass(frozen=True)
class Encoded:
    """A column as its distinct cells, in Arrow's or Python's types, and for each row the place of its cell in them.

    A few cells may stand in `distinct` twice.
    """

    distinct: Any
    places: pa.Int32Array

    def cells(self) -> list[Any]:
        """The distinct cells in Python's types."""
        return self.distinct.to_pylist() if isinstance(self.distinct, pa.Array) else list(self.distinct)


class Batch(ABC):
    """Rows of a file. `first` is the number of the first one in the file, counted from 1."""

    first: int
    size: int
    malformed: Mapping[int, Malformed]

    @abstractmethod
    def encoded(self, name: str) -> Encoded:
        """One column. In a malformed row the cell is ''."""

    @abstractmethod
    def row(self, place: int) -> dict[str, Any]:
        """One row as it came, by column; `place` is counted from 0 within the batch."""

    def column(self, name: str, convert: Convert[T]) -> list[T]:
        """`convert` of each cell, called once per distinct one."""
        encoded = self.encoded(name)
        converted = [convert(cell) for cell in encoded.cells()]
        return [converted[place] for place in _numbers(encoded.places)]

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.first + self.size - 1


class ArrowBatch(Batch):
    """Rows in Arrow's columns, each of one type."""

    def __init__(self, first: int, batch: pa.RecordBatch, malformed: Mapping[int, Malformed] | None = None) -> None:
        self.first, self.size, self.malformed = first, batch.num_rows, malformed or {}
        self._columns = list(batch.schema.names)
        self._arrays = [_simple(array) for array in batch.columns]

    @classmethod
    def of_texts(cls, first: int, columns: Sequence[str], rows: Sequence[Sequence[str] | Malformed]) -> "ArrowBatch":
        """Rows of a CSV file, each with a text for every column. Raises `UnicodeEncodeError` for one that is none."""
        malformed = {place: row for place, row in enumerate(rows) if isinstance(row, Malformed)}
        if malformed:
            empty = [""] * len(columns)
            rows = [empty if isinstance(row, Malformed) else row for row in rows]
        cells = zip(*rows, strict=True) if rows else ((),) * len(columns)
        arrays = [pa.array(column, pa.string()) for column in cells]
        return cls(first, pa.RecordBatch.from_arrays(arrays, names=list(columns)), malformed)

    def encoded(self, name: str) -> Encoded:
        array = self._arrays[self._columns.index(name)]
        if pa.types.is_nested(array.type):
            return encode(array.to_pylist())
        encoded = array.dictionary_encode(null_encoding="encode")
        return Encoded(encoded.dictionary, encoded.indices)

    def row(self, place: int) -> dict[str, Any]:
        if place in self.malformed:
            return {"cells": self.malformed[place].cells}
        return {name: array[place].as_py() for name, array in zip(self._columns, self._arrays, strict=True)}


class SheetBatch(Batch):
    """Rows of a workbook: cells are texts, numbers, booleans, dates and times, mixed in one column."""

    malformed: Mapping[int, Malformed] = {}

    def __init__(self, first: int, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        self.first, self.size = first, len(rows)
        self._columns = list(columns)
        self._rows = rows

    def encoded(self, name: str) -> Encoded:
        index = self._columns.index(name)
        return encode([row[index] for row in self._rows])

    def row(self, place: int) -> dict[str, Any]:
        return dict(zip(self._columns, self._rows[place], strict=True))


class OverlaidBatch(Batch):
    """Another batch with some columns replaced or added; `row` still tells what came."""

    def __init__(self, base: Batch, columns: Mapping[str, Sequence[Any]]) -> None:
        self.first, self.size, self.malformed = base.first, base.size, base.malformed
        self._base = base
        self._overlay = columns

    def encoded(self, name: str) -> Encoded:
        return encode(self._overlay[name]) if name in self._overlay else self._base.encoded(name)

    def row(self, place: int) -> dict[str, Any]:
        return self._base.row(place)


def encode(cells: Iterable[Any]) -> Encoded:
    """Cells of any types; 1, 1.0 and True are three, and a list or an object, which has no hash, is always another."""
    known: dict[Any, int] = {}
    single: list[Any] = []
    places: list[int] = []
    for cell in cells:
        try:
            places.append(known.setdefault((cell.__class__, cell), len(known)))
        except TypeError:
            single.append(cell)
            places.append(-len(single))
    if single:
        places = [len(known) - 1 - place if place < 0 else place for place in places]
    return Encoded([*(cell for _type, cell in known), *single], pa.array(places, pa.int32()))


def each_distinct(cells: Iterable[Any], convert: Convert[T]) -> list[T]:
    """`convert` of each cell, called once per distinct one."""
    encoded = encode(cells)
    converted = [convert(cell) for cell in encoded.distinct]
    return [converted[place] for place in _numbers(encoded.places)]


def _numbers(array: pa.Int32Array) -> Iterable[int]:
    return memoryview(array.buffers()[1]).cast("i")[array.offset : array.offset + len(array)] if len(array) else ()


def _simple(array: Any) -> Any:
    """The column without what Python's types cannot hold: an encoding, or nanoseconds."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        array = array.cast(pa.timestamp("us", tz=array.type.tz), safe=False)
    return array
