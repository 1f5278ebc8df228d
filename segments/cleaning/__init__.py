"""Cleaning rules as pure functions: what they may say, and what they do to a row or to columns of cells."""

from segments.cleaning.columns import CleanedColumns, clean_columns
from segments.cleaning.errors import RuleError
from segments.cleaning.parse import parse
from segments.cleaning.rows import CleanedRow, clean_row
from segments.cleaning.steps import DailyLimit, Plan, Step, Verdict

__all__ = [
    "CleanedColumns",
    "CleanedRow",
    "DailyLimit",
    "Plan",
    "RuleError",
    "Step",
    "Verdict",
    "clean_columns",
    "clean_row",
    "parse",
]
