"""Which identifiers people have, as the rules of joining ask for them: kinds, and the source of a customer number."""

from collections.abc import Iterable

from compliance.services import subjects
from segments import identities
from segments.models import Identity, IdentityKind, Source
from segments.precedence import Holding


def holdings(profile_ids: Iterable[int]) -> dict[int, set[Holding]]:
    """What each of these people has. Those who were erased, or have nothing, have nothing."""
    keys = subjects.data_keys(profile_ids)
    sources = list(Source.objects.all())
    found: dict[int, set[Holding]] = {profile_id: set() for profile_id in keys}
    for row in Identity.objects.filter(profile__in=keys):
        found[row.profile_id].add((row.kind, _scope(row, keys[row.profile_id], sources)))
    return found


def _scope(row: Identity, data_key: bytes, sources: Iterable[Source]) -> str:
    """The source is part of what a customer number's digest is of, and stands nowhere else: the one that fits is it."""
    if row.kind != IdentityKind.EXTERNAL:
        return ""
    value = identities.decrypt(data_key, row.kind, bytes(row.value_encrypted))
    fits = (one.key for one in sources if identities.key_of("external_id", value, one)[0].digest == bytes(row.digest))
    return next(fits, "")
