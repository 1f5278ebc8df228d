"""Who is meant by identifiers."""

from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter

from django.db import connection

from segments.identities import IdentityKey

SIZE = 32  # bytes of a digest
# All digests as one parameter and nothing but ids in answer: tens of thousands of people are found in one go.
OWNERS = """
    SELECT identity.profile_id FROM generate_series(0, %(count)s::int - 1) AS place
    LEFT JOIN segments_identity identity
        ON identity.kind = %(kind)s AND identity.digest = substr(%(digests)s::bytea, 1 + place * %(size)s, %(size)s)
    ORDER BY place
"""


def owners(keys: Iterable[IdentityKey]) -> dict[IdentityKey, int]:
    """The ids of the profiles that have these identifiers; without those that nobody has."""
    found: dict[IdentityKey, int] = {}
    # In the order of the index: neighbours in it are on pages that were just read.
    for kind, group in groupby(sorted(keys), itemgetter(0)):
        same = list(group)
        digests = b"".join([key.digest for key in same])
        with connection.cursor() as cursor:
            cursor.execute(OWNERS, {"kind": kind, "digests": digests, "count": len(same), "size": SIZE})
            answer = cursor.fetchall()
        found.update([(key, owner) for key, (owner,) in zip(same, answer, strict=True) if owner is not None])
    return found
