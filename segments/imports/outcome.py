"""What became of a batch of rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from segments.profile_input import InputError


@dataclass(frozen=True)
class Outcome:
    """How many rows were taken or known already, and why others were refused, by their place in the batch."""

    accepted: int
    duplicates: int
    refused: Mapping[int, InputError]
