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


class Batch(ABC):
    """Rows of a file. `first` is the number of the first one in the file, counted from 1."""

    first: int
    size: int
    malformed: Mapping[int, Malformed]

    @abstractmethod
    def column(self, name: str, convert: Convert[T]) -> list[T]:
        """`convert` of each cell, called once per distinct one. In a malformed row the cell is ''."""

    @abstractmethod
    def row(self, place: int) -> dict[str, Any]:
        """One row as it came, by column; `place` is counted from 0 within the batch."""

    @property
    def last(self) -> int:
        """The number of the last row."""
        return self.first + self.size - 1


class CsvBatch(Batch):
    """Rows of texts."""

    def __init__(self, first: int, columns: Sequence[str], rows: Sequence[Sequence[Any] | Malformed]) -> None:
        self.first, self.size = first, len(rows)
        self.malformed = {place: row for place, row in enumerate(rows) if isinstance(row, Malformed)}
        self._columns = list(columns)
        empty = [""] * len(columns)
        self._rows = [empty if isinstance(row, Malformed) else row for row in rows]

    def column(self, name: str, convert: Convert[T]) -> list[T]:
        index = self._columns.index(name)
        return _converted([row[index] for row in self._rows], convert)

    def row(self, place: int) -> dict[str, Any]:
        if place in self.malformed:
            return {"cells": self.malformed[place].cells}
        return dict(zip(self._columns, self._rows[place], strict=True))


class ArrowBatch(Batch):
    """Rows with types, in Arrow's columns."""

    malformed: Mapping[int, Malformed] = {}

    def __init__(self, first: int, batch: pa.RecordBatch) -> None:
        self.first, self.size = first, batch.num_rows
        self._columns = list(batch.schema.names)
        self._arrays = [_simple(array) for array in batch.columns]

    def column(self, name: str, convert: Convert[T]) -> list[T]:
        array = self._arrays[self._columns.index(name)]
        if pa.types.is_nested(array.type):
            return [convert(cell) for cell in array.to_pylist()]
        encoded = array.dictionary_encode(null_encoding="encode")
        distinct = [convert(cell) for cell in encoded.dictionary.to_pylist()]
        indices = encoded.indices
        places = memoryview(indices.buffers()[1]).cast("i")[indices.offset : indices.offset + len(indices)]
        return [distinct[place] for place in places]

    def row(self, place: int) -> dict[str, Any]:
        return {name: array[place].as_py() for name, array in zip(self._columns, self._arrays, strict=True)}


class SheetBatch(CsvBatch):
    """Rows of a workbook: cells are texts, numbers, booleans, dates and times."""

    def column(self, name: str, convert: Convert[T]) -> list[T]:
        index = self._columns.index(name)
        return each_distinct([row[index] for row in self._rows], convert)


class OverlaidBatch(Batch):
    """Another batch with some columns replaced or added; `row` still tells what came."""

    def __init__(self, base: Batch, columns: Mapping[str, Sequence[Any]]) -> None:
        self.first, self.size, self.malformed = base.first, base.size, base.malformed
        self._base = base
        self._overlay = columns

    def column(self, name: str, convert: Convert[T]) -> list[T]:
        if name in self._overlay:
            return each_distinct(self._overlay[name], convert)
        return self._base.column(name, convert)

    def row(self, place: int) -> dict[str, Any]:
        return self._base.row(place)


def each_distinct(cells: Iterable[Any], convert: Convert[T]) -> list[T]:
    """`convert` of each cell, called once per distinct one; 1, 1.0 and True are three."""
    known: dict[tuple[type, Any], T] = {}
    converted = []
    for cell in cells:
        key = (cell.__class__, cell)
        try:
            converted.append(known[key])
        except KeyError:
            known[key] = answer = convert(cell)
            converted.append(answer)
        except TypeError:  # a list or an object of a Parquet file has no hash
            converted.append(convert(cell))
    return converted


def _converted(cells: Iterable[str], convert: Convert[T]) -> list[T]:
    cells = list(cells)
    known = {cell: convert(cell) for cell in set(cells)}
    return [known[cell] for cell in cells]


def _simple(array: Any) -> Any:
    """The column without what Python's types cannot hold: an encoding, or nanoseconds."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_timestamp(array.type) and array.type.unit == "ns":
        array = array.cast(pa.timestamp("us", tz=array.type.tz), safe=False)
    return array
