"""Cells of files, whatever type they have. Pure."""

import math
from typing import Any


def is_missing(cell: Any) -> bool:
    """Whether a cell says nothing: null, empty, or the not-a-number with which data frames mark a gap."""
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def text(cell: Any) -> str:
    """A cell as text; a missing one is ''. A whole number stays whole where a gap made its column one of floats."""
    if is_missing(cell):
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
