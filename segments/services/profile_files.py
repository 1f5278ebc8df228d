"""People from the rows of a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from segments import profile_input
from segments.imports.batch import Batch
from segments.imports.outcome import Outcome
from segments.models import Source
from segments.profile_input import InputError, ProfileInput
from segments.services import profile_intake


@dataclass(frozen=True)
class ProfileFile:
    """How the rows of one file become people."""

    source: Source
    mapping: Mapping[str, str]
    actor: str
    now: datetime

    def reading(self) -> Callable[[Batch], Batch]:
        """Nothing is read ahead of a batch."""
        return lambda batch: batch

    def store(self, batch: Batch) -> Outcome:
        """Create and update the people of the rows that fit and say of the others why not."""
        refused: dict[int, InputError] = {}
        inputs: dict[int, ProfileInput] = {}
        for place in range(batch.size):
            try:
                inputs[place] = self._read(batch, place)
            except InputError as error:
                refused[place] = error
        results = profile_intake.take(
            source=self.source, inputs=list(inputs.values()), actor=self.actor, now=self.now, is_from_file=True,
            refused=len(refused),
        )  # fmt: skip
        for place, result in zip(inputs, results, strict=True):
            if result.profile_id is None:
                refused[place] = InputError(result.field, result.reason)
        return Outcome(accepted=batch.size - len(refused), duplicates=0, refused=refused)

    def _read(self, batch: Batch, place: int) -> ProfileInput:
        if place in batch.malformed:
            raise InputError("row", batch.malformed[place].reason)
        row = batch.row(place)
        return profile_input.from_texts({field: row[column] for field, column in self.mapping.items()})
