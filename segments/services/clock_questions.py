"""Whom time moves, asked in one pass over many rules: what several of them ask is asked once."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet


class ClockQuestions:
    """Answers of one pass. Each question for events that came of age reads a month of them, whoever asks it.

    An answer may be older than the rule that it is given to: whatever happened meanwhile leaves touches.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._answers: dict[str, set[int]] = {}

    def people(self, questions: Iterable["QuerySet[Any, int]"]) -> set[int] | None:
        """The profile ids of all answers together; None when there are more than the limit."""
        found: set[int] = set()
        for question in questions:
            found |= self._asked(question)
            if len(found) > self._limit:
                return None
        return found

    def _asked(self, question: "QuerySet[Any, int]") -> set[int]:
        try:
            key = str(question.query)
        except EmptyResultSet:  # it asks for nobody
            return set()
        if key not in self._answers:
            self._answers[key] = set(question[: self._limit + 1])
        return self._answers[key]
