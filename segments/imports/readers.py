"""Files as batches of rows: CSV and Parquet, with the memory of one batch whatever the file's length."""

import csv
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


class ReaderError(Exception):
    """The file cannot be read at all."""


@dataclass(frozen=True)
class Malformed:
    """A row that does not have the file's columns; `cells` is what was there."""

    cells: list[str]
    reason: str


Row = tuple[Any, ...] | Malformed


class Reader(ABC):
    """One file: its columns, its number of rows, and its rows in order."""

    columns: list[str]
    total: int

    @abstractmethod
    def batches(self, *, skip: int, size: int) -> Iterator[list[Row]]:
        """The rows after the first `skip`, in lists of at most `size`; each row has one value per column."""


class ParquetReader(Reader):
    """A Parquet file, read row group by row group."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = pq.ParquetFile(path)
        except (OSError, ValueError) as error:
            raise ReaderError(f"{path.name}: not a Parquet file ({error})") from error
        self.columns = list(self._file.schema_arrow.names)
        self.total = self._file.metadata.num_rows

    def batches(self, *, skip: int, size: int) -> Iterator[list[Row]]:
        for batch in self._file.iter_batches(batch_size=size):
            dropped = min(skip, len(batch))
            skip -= dropped
            rest = batch.slice(dropped)
            if len(rest):
                yield list(zip(*(column.to_pylist() for column in rest.columns), strict=True))


class CsvReader(Reader):
    """A CSV file in UTF-8 with a header line (RFC 4180)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as rows:
            header = next(rows, None)
            if not header:
                raise ReaderError(f"{path.name}: has no header line")
            self.columns = [name.strip() for name in header]
            self.total = sum(1 for row in rows if row)

    def batches(self, *, skip: int, size: int) -> Iterator[list[Row]]:
        with self._open() as rows:
            next(rows)
            wanted = islice((self._row(cells) for cells in rows if cells), skip, None)
            while batch := list(islice(wanted, size)):
                yield batch

    def _row(self, cells: list[str]) -> Row:
        if len(cells) != len(self.columns):
            return Malformed(cells, f"has {len(cells)} cells where the header has {len(self.columns)}")
        try:
            "".join(cells).encode()
        except UnicodeEncodeError:
            return Malformed([cell.encode(errors="replace").decode() for cell in cells], "is not UTF-8")
        return tuple(cells)

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


READERS: dict[str, type[Reader]] = {".csv": CsvReader, ".parquet": ParquetReader}


def open_file(path: Path) -> Reader:
    """The reader for a file by its ending. Raises `ReaderError`."""
    if not path.is_file():
        raise ReaderError(f"{path}: no such file")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ReaderError(f"{path.name}: the ending is none of {', '.join(READERS)}")
    return reader(path)  # type: ignore[call-arg]
