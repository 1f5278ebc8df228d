"""Files as batches of rows. CSV and Parquet take the memory of one batch whatever the file's length; the first sheet of
an XLSX workbook, which ends at 1,048,576 rows, is held whole."""

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from segments.cells import text
from segments.imports.batch import ArrowBatch, Batch, Malformed, SheetBatch

CHUNK = 1 << 20  # bytes


class ReaderError(Exception):
    """The file cannot be read at all."""


class Reader(ABC):
    """One file: its columns, its number of rows, and its rows in order. Raises `ReaderError` when opened."""

    columns: list[str]
    total: int

    @abstractmethod
    def __init__(self, path: Path) -> None: ...

    @abstractmethod
    def batches(self, *, skip: int, size: int) -> Iterator[Batch]:
        """The rows after the first `skip`, at most `size` at a time."""


class ParquetReader(Reader):
    """A Parquet file, read row group by row group."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = pq.ParquetFile(path)
        except (OSError, ValueError) as error:
            raise ReaderError(f"{path.name}: not a Parquet file ({error})") from error
        self.columns = list(self._file.schema_arrow.names)
        self.total = self._file.metadata.num_rows

    def batches(self, *, skip: int, size: int) -> Iterator[Batch]:
        number = 0
        for batch in self._file.iter_batches(batch_size=size):
            done = min(max(skip - number, 0), batch.num_rows)
            if done < batch.num_rows:
                yield ArrowBatch(number + done + 1, batch.slice(done))
            number += batch.num_rows


class CsvReader(Reader):
    """A CSV file in UTF-8 with a header line (RFC 4180). Empty lines do not count."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with self._open() as rows:
                header = next(rows, None)
            self.total = max(self._count() - 1, 0)
        except csv.Error as error:
            raise ReaderError(f"{path.name}: not a CSV file ({error})") from error
        if not header:
            raise ReaderError(f"{path.name}: has no header line")
        self.columns = [name.strip() for name in header]

    def batches(self, *, skip: int, size: int) -> Iterator[Batch]:
        with self._open() as rows:
            next(rows)
            wanted = islice(filter(None, rows), skip, None)
            while batch := list(islice(wanted, size)):
                yield self._batch(skip + 1, batch)
                skip += len(batch)

    def _batch(self, first: int, rows: list[list[str]]) -> Batch:
        if {len(self.columns)}.issuperset(map(len, rows)):
            try:
                return ArrowBatch.of_texts(first, self.columns, rows)
            except UnicodeEncodeError:
                pass  # some row is not UTF-8
        return ArrowBatch.of_texts(first, self.columns, [self._row(cells) for cells in rows])

    def _row(self, cells: list[str]) -> list[str] | Malformed:
        if len(cells) != len(self.columns):
            return Malformed(_readable(cells), f"has {len(cells)} cells where the header has {len(self.columns)}")
        try:
            "".join(cells).encode()
        except UnicodeEncodeError:
            return Malformed(_readable(cells), "is not UTF-8")
        return cells

    def _count(self) -> int:
        """How many rows the file has, its header among them. Where nothing is quoted, they are its lines."""
        with self._path.open("rb") as file:
            if not any(b'"' in part or b"\r" in part for part in iter(partial(file.read, CHUNK), b"")):
                file.seek(0)
                return sum(line != b"\n" for line in file)
        with self._open() as rows:
            return sum(map(bool, rows))

    def _open(self) -> "_Rows":
        return _Rows(self._path)


class _Rows:
    """An open CSV file; bytes that are not UTF-8 survive as surrogates, so that only their row is refused."""

    def __init__(self, path: Path) -> None:
        self._file = path.open(newline="", encoding="utf-8-sig", errors="surrogateescape")

    def __enter__(self) -> Iterator[list[str]]:
        return csv.reader(self._file)

    def __exit__(self, *_error: object) -> None:
        self._file.close()


def _readable(cells: list[str]) -> list[str]:
    return [cell.encode(errors="replace").decode() for cell in cells]


class XlsxReader(Reader):
    """The first sheet of a workbook, with a header row. Empty rows do not count; a formula stands for its value.

    A date cell has no zone, as a text without one has none.
    """

    def __init__(self, path: Path) -> None:
        self._sheet = _first_sheet(path)
        rows = self._rows()
        header = next(rows, None)
        if header is None:
            raise ReaderError(f"{path.name}: has no header row")
        self.columns = [text(cell).strip() for cell in header]
        self.total = sum(1 for _ in rows)

    def batches(self, *, skip: int, size: int) -> Iterator[Batch]:
        wanted = islice(self._rows(), skip + 1, None)
        while batch := list(islice(wanted, size)):
            yield SheetBatch(skip + 1, self.columns, batch)
            skip += len(batch)

    def _rows(self) -> Iterator[list[Any]]:
        return (row for row in self._sheet.iter_rows() if any(cell != "" for cell in row))


def _first_sheet(path: Path) -> CalamineSheet:
    try:
        return CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
    except (CalamineError, OSError, ValueError) as error:
        raise ReaderError(f"{path.name}: not an XLSX workbook ({error})") from error


READERS: dict[str, type[Reader]] = {".csv": CsvReader, ".parquet": ParquetReader, ".xlsx": XlsxReader}


def open_file(path: Path) -> Reader:
    """The reader for a file by its ending. Raises `ReaderError`."""
    if not path.is_file():
        raise ReaderError(f"{path}: no such file")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ReaderError(f"{path.name}: the ending is none of {', '.join(READERS)}")
    return reader(path)
