"""What became of a batch of rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from segments.profile_input import InputError


@dataclass(frozen=True)
class Outcome:
    """How many rows were taken, known already or held, and why others were refused, by their place in the batch."""

    accepted: int
    duplicates: int
    refused: Mapping[int, InputError]
    held: int = 0
