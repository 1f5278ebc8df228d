"""Which identifier decides who is meant, and when two people cannot be one. Pure.

| identifier | strength | how many of it one person has |
|---|---|---|
| phone number | strongest | one; two profiles with different numbers contradict each other |
| e-mail address | strong | any number: private, work, an old one; different ones are no contradiction |
| WeChat openid | strong | one |
| customer number | strong | one in each source, which itself says by a second number that this is another customer |
| device id | weak | any number, and several people may share one |

A profile may come to hold several phone numbers over time: a new number told for somebody who is known by another
identifier is a change of theirs. Only when two profiles would become one does the difference speak against it.
"""

from collections.abc import Collection, Iterable

from segments.models import IdentityKind

STRONGEST_FIRST = (
    IdentityKind.PHONE, IdentityKind.EMAIL, IdentityKind.WECHAT, IdentityKind.EXTERNAL, IdentityKind.DEVICE,
)  # fmt: skip
WEAK = frozenset({IdentityKind.DEVICE.value})
ONE_PER_PERSON = frozenset({IdentityKind.PHONE.value, IdentityKind.WECHAT.value, IdentityKind.EXTERNAL.value})
_RANKS = {kind.value: rank for rank, kind in enumerate(STRONGEST_FIRST)}

Holding = tuple[str, str]
"""A kind of identifier that somebody has; for a customer number with the key of its source, else with ''."""


def rank(kind: str) -> int:
    """0 for the strongest kind."""
    return _RANKS[kind]


def has_strong(kinds: Iterable[str]) -> bool:
    """Whether any of these identifiers says by itself who somebody is."""
    return any(kind not in WEAK for kind in kinds)


def contradictions(first: Collection[Holding], second: Collection[Holding]) -> list[str]:
    """The kinds, strongest first, by which two people cannot be one: each has a value, and no identifier is shared."""
    both = {kind for kind, scope in set(first) & set(second) if kind in ONE_PER_PERSON}
    return sorted(both, key=rank)
