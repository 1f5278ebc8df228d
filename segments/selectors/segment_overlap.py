"""Which people segments share."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any

from django.db import connection

from segments.models import Segment
from segments.rules import Rule

MAX_SEGMENTS = 20

BLOCK = 5
"""Segments whose bits are kept together; two blocks have at most 1,024 different sets."""

# Each person becomes the set of segments that they are in, as bits; then the sets are counted. Twenty segments are read
# once, where joining each with each would read them nineteen times. There may still be nearly as many sets as people,
# so that they are folded before pairs are looked for: the two segments of a pair lie in some two blocks of bits.
SHARED = """
    WITH chosen (segment_id, bit) AS (
        SELECT * FROM unnest(%(segments)s::bigint[], %(bits)s::bigint[])
    ), people (bits) AS (
        SELECT bit_or(c.bit) FROM segments_segmentmembership m JOIN chosen c USING (segment_id)
        WHERE m.segment_id = ANY(%(segments)s::bigint[])
        GROUP BY m.profile_id
    ), sets (bits, people) AS MATERIALIZED (
        SELECT bits, count(*) FROM people GROUP BY bits
    ), folded (mask, bits, people) AS MATERIALIZED (
        SELECT mask, sets.bits & mask, sum(sets.people) FROM sets CROSS JOIN unnest(%(blocks)s::bigint[]) mask
        GROUP BY mask, sets.bits & mask
    ), pairs (one, other, bits, mask) AS (
        SELECT one.segment_id, other.segment_id, one.bit | other.bit, min(mask)
        FROM chosen one
        JOIN chosen other ON one.bit <= other.bit
        JOIN unnest(%(blocks)s::bigint[]) mask ON mask & (one.bit | other.bit) = one.bit | other.bit
        GROUP BY one.segment_id, other.segment_id, one.bit | other.bit
    )
    SELECT pairs.one, pairs.other, sum(folded.people)::bigint
    FROM pairs JOIN folded ON folded.mask = pairs.mask AND folded.bits & pairs.bits = pairs.bits
    GROUP BY pairs.one, pairs.other
"""
SHARED_WITH_RULE = """
    WITH wanted (profile_id) AS MATERIALIZED ({sql})
    SELECT m.segment_id, count(*) FROM wanted w JOIN segments_segmentmembership m USING (profile_id)
    WHERE m.segment_id = ANY(%s) GROUP BY m.segment_id
"""


@dataclass(frozen=True)
class Cell:
    """What the segment of a row has in common with that of a column."""

    people: int
    """In both."""
    share: float
    """Of the row's members, 0 to 1; 0 for a row without members."""
    jaccard: float
    """In both, of those in either (P. Jaccard, 1901): 1 for the same people, 0 for none in common or nobody at all."""


@dataclass(frozen=True)
class Overlap:
    """The matrix of the segments, rows and columns in this order."""

    segments: tuple[Segment, ...]
    shared: Mapping[tuple[int, int], int]
    """People in both, by the two ids in either order; pairs without any are missing."""

    def size(self, segment: Segment) -> int:
        """How many members it had when the members were compared."""
        return self.shared.get((segment.pk, segment.pk), 0)

    def cell(self, row: Segment, column: Segment) -> Cell:
        """The cell of two of the segments."""
        people, mine = self.shared.get((row.pk, column.pk), 0), self.size(row)
        return Cell(people, people / mine if mine else 0.0, jaccard(people, mine, self.size(column)))

    def rows(self) -> list[tuple[Segment, list[Cell]]]:
        """Each segment with its cells."""
        return [(row, [self.cell(row, column) for column in self.segments]) for row in self.segments]


def overlap(segments: Sequence[Segment]) -> Overlap:
    """The shared members of up to 20 different segments, by one statement. Raises `ValueError` for more."""
    if len(segments) > MAX_SEGMENTS:
        raise ValueError(f"more than {MAX_SEGMENTS} segments")
    ids = [segment.pk for segment in segments]
    with connection.cursor() as cursor:
        cursor.execute(SHARED, _parameters(ids))
        found = {(one, other): people for one, other, people in cursor.fetchall()}
    return Overlap(tuple(segments), found | {(other, one): people for (one, other), people in found.items()})


def _parameters(ids: Sequence[int]) -> dict[str, Any]:
    """The segments, the bit of each, and every two blocks of bits."""
    blocks = [((1 << BLOCK) - 1) << place for place in range(0, MAX_SEGMENTS, BLOCK)]
    return {
        "segments": list(ids),
        "bits": [1 << place for place in range(len(ids))],
        "blocks": [one | other for one, other in combinations(blocks, 2)],
    }


def shared_with_rule(rule: Rule, segments: Collection[int], now: datetime) -> dict[int, int]:
    """How many of those whom an unsaved rule matches at `now` are in each of the segments, by id."""
    sql, params = rule.queryset(now).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(SHARED_WITH_RULE.format(sql=sql), [*params, list(segments)])
        return dict(cursor.fetchall())


def jaccard(shared: int, one: int, other: int) -> float:
    """The Jaccard index of two sets of these sizes."""
    either = one + other - shared
    return shared / either if either else 0.0
