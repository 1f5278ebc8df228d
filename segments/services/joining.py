"""Whom the inputs of one batch speak of, and which people they show to be one. The rules are `segments.precedence`'s.

An input speaks of the person whom its strongest known identifier names. Each further person whom it names

- is joined with that one, when nothing contradicts;
- goes to review, when both have another value of something that one person has one of, or when staff parted them
  before;
- is left alone, when just a device leads there and both have stronger identifiers: people share devices.

Nothing is stored here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models.functions import Coalesce

from segments import precedence
from segments.identities import IdentityKey
from segments.models import Identity, IdentityKind, JoinReview, ProfileMerge, ReviewState, Source
from segments.precedence import Holding
from segments.profile_input import ProfileInput
from segments.services import identity_scopes

Read = tuple[ProfileInput, dict[IdentityKey, str]]


@dataclass(eq=False)
class Person:
    """One person of the batch: known (`profile_id`) or to be made. `into` is set once they turned out to be another."""

    profile_id: int | None = None
    known_since: datetime | None = None
    holdings: set[Holding] = field(default_factory=set)
    is_loaded: bool = True
    into: "Person | None" = None
    created: bool = False
    read: list[tuple[int, Read]] = field(default_factory=list)

    @property
    def age(self) -> tuple[bool, float, int]:
        """Sorts those known longest first, and those to be made last."""
        since = self.known_since.timestamp() if self.known_since else 0.0
        return self.profile_id is None, since, self.profile_id or 0

    def now(self) -> "Person":
        """The person that this one turned out to be."""
        return self.into.now() if self.into else self

    @property
    def inputs(self) -> list[ProfileInput]:
        """What the inputs say of the person, in their order."""
        return [given for _, (given, _) in sorted(self.read, key=lambda item: item[0])]

    @property
    def identities(self) -> dict[IdentityKey, str]:
        """The identifiers that the inputs give them, in their order, with their written forms."""
        found: dict[IdentityKey, str] = {}
        for _, (_, keys) in sorted(self.read, key=lambda item: item[0]):
            found |= keys
        return found


@dataclass(frozen=True)
class Join:
    """Two known people whom the input at a place shows to be one, by shared identifiers of these kinds."""

    place: int
    survivor: Person
    absorbed: Person
    kinds: list[str]


@dataclass(frozen=True)
class Conflict:
    """An input, taken for one person, whose identifiers of `kinds` lead to another, whom it contradicts."""

    place: int
    person: Person
    other: Person
    kinds: list[str]
    contradicting: list[str]
    given: ProfileInput


@dataclass(frozen=True)
class Disagreement:
    """A person whose input also names a device of somebody else."""

    person: Person
    other: Person


class Batch:
    """Assigns the inputs of one batch, one after the other, to people."""

    def __init__(self, source: Source, reads: Sequence[Read]) -> None:
        self._scope = source.key
        self._owners = _owners({key for _, keys in reads for key in keys})
        self._people: list[Person] = []
        self.joins: list[Join] = []
        self.conflicts: list[Conflict] = []
        self.disagreements: list[Disagreement] = []
        self._load(person for _, keys in reads for person in self._to_be_judged(keys))

    @property
    def people(self) -> list[Person]:
        """Everybody whom the inputs speak of, joined people once."""
        return list(dict.fromkeys(person.now() for person in self._people))

    def assign(self, place: int, read: Read) -> Person:
        """The person whom the input at this place of the batch speaks of."""
        given, keys = read
        named = self._named(keys)
        person = self._chosen(named, keys)
        for other, kinds in named.items():
            if other is not person:
                person = self._judge(person, other, kinds, place, read)
        own = self._own(person, keys)
        person.read.append((place, (given, own)))
        person.holdings |= self._holdings_of(own)
        self._owners |= dict.fromkeys(own, person)
        self._people.append(person)
        return person

    def _chosen(self, named: Mapping[Person, list[str]], keys: Iterable[IdentityKey]) -> Person:
        """The owner of the strongest identifier. A device does not choose between people who have stronger ones."""
        for person, kinds in named.items():
            if precedence.has_strong(kinds) or not _both_strong([key.kind for key in keys], self._loaded(person)):
                return person
        return Person()

    def _judge(self, person: Person, other: Person, kinds: list[str], place: int, read: Read) -> Person:
        """What it means that the input of one person names another as well; returns who the person is then."""
        given, keys = read
        theirs = self._loaded(other)
        if not precedence.has_strong(kinds) and _both_strong([key.kind for key in keys], theirs):
            self.disagreements.append(Disagreement(person, other))
            return person
        ours = self._loaded(person) | self._holdings_of(self._own(person, keys))
        contradicting = precedence.contradictions(ours, theirs)
        if contradicting or _parted(person, other):
            self.conflicts.append(Conflict(place, person, other, kinds, contradicting, given))
            return person
        return self._join(person, other, kinds, place)

    def _join(self, person: Person, other: Person, kinds: list[str], place: int) -> Person:
        """Two become one: the one known longest; one who is known, rather than one to be made."""
        survivor, absorbed = sorted((person, other), key=lambda one: one.age)
        if absorbed.profile_id is not None:
            self.joins.append(Join(place, survivor, absorbed, kinds))
        absorbed.into = survivor
        survivor.read += absorbed.read
        survivor.holdings = self._loaded(survivor) | self._loaded(absorbed)
        return survivor

    def _named(self, keys: Iterable[IdentityKey]) -> dict[Person, list[str]]:
        """Whom these identifiers name, the strongest first, each with the kinds that lead there."""
        named: dict[Person, list[str]] = {}
        for key in sorted(keys, key=lambda key: precedence.rank(key.kind)):
            if key in self._owners:
                named.setdefault(self._owners[key].now(), []).append(key.kind)
        return named

    def _own(self, person: Person, keys: Mapping[IdentityKey, str]) -> dict[IdentityKey, str]:
        """The identifiers that nobody else has."""
        return {
            key: written
            for key, written in keys.items()
            if key not in self._owners or self._owners[key].now() is person
        }

    def _holdings_of(self, keys: Iterable[IdentityKey]) -> set[Holding]:
        return {(key.kind, self._scope if key.kind == IdentityKind.EXTERNAL else "") for key in keys}

    def _to_be_judged(self, keys: Iterable[IdentityKey]) -> list[Person]:
        """Those of whom more must be known: several are named by one input, or one by a device."""
        named = self._named(keys)
        return list(named) if len(named) > 1 or not all(map(precedence.has_strong, named.values())) else []

    def _loaded(self, person: Person) -> set[Holding]:
        """The person's holdings."""
        if not person.is_loaded:
            self._load([person])
        return person.holdings

    def _load(self, people: Iterable[Person]) -> None:
        wanted = {person.profile_id: person for person in people if person.profile_id is not None}
        for profile_id, holdings in identity_scopes.holdings(wanted).items():
            wanted[profile_id].holdings |= holdings
        for person in wanted.values():
            person.is_loaded = True


def _owners(keys: Collection[IdentityKey]) -> dict[IdentityKey, Person]:
    """The known people to whom any of these identifiers belongs."""
    rows = Identity.objects.filter(digest__in={key.digest for key in keys})
    people: dict[int, Person] = {}
    owners: dict[IdentityKey, Person] = {}
    for kind, digest, profile_id, since in rows.values_list("kind", "digest", "profile_id", "profile__created_at"):
        person = people.setdefault(profile_id, Person(profile_id, known_since=since, is_loaded=False))
        owners[IdentityKey(kind, bytes(digest))] = person
    return owners


def _parted(person: Person, other: Person) -> bool:
    """Whether a merge of the two was undone, or a review kept them apart; whoever they have been merged into since."""
    if person.profile_id is None or other.profile_id is None:
        return False
    both = [person.profile_id, other.profile_id]
    undone = ProfileMerge.objects.filter(undone_at__isnull=False).annotate(
        first=Coalesce("survivor__merged_into", "survivor"), second=Coalesce("absorbed__merged_into", "absorbed")
    )
    kept_apart = JoinReview.objects.filter(state=ReviewState.KEPT_APART).annotate(
        first=Coalesce("profile__merged_into", "profile"), second=Coalesce("other__merged_into", "other")
    )
    return any(rows.filter(first__in=both, second__in=both).exists() for rows in (undone, kept_apart))


def _both_strong(kinds: Iterable[str], holdings: Iterable[Holding]) -> bool:
    return precedence.has_strong(kinds) and precedence.has_strong(kind for kind, _ in holdings)
