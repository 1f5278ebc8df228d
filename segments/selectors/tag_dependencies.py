"""What tags and segments depend on which others: the order of computing, who has to be told, circles."""

from collections.abc import Iterable, Iterator, Mapping

from segments import causes
from segments.models import Segment, Tag, TagKind
from segments.rules import Dependencies, RuleError, parse


def of_unit(unit: Tag) -> Dependencies:
    """What the tags of a definition depend on. A rule that cannot be read depends on nothing."""
    if unit.kind == TagKind.AGGREGATE:
        return Dependencies(events=frozenset({unit.event_name}), clock=unit.window_days is not None)
    if unit.kind == TagKind.INTEREST:
        return Dependencies(clock=True)
    found = Dependencies()
    for rule in _rules(unit):
        found |= dependencies_of(rule)
    return found


def dependencies_of(definition: object) -> Dependencies:
    """What a rule tree, parameters still in it, depends on; nothing when it cannot be read."""
    try:
        return parse(_neutral(definition)).depends_on()
    except RuleError:
        return Dependencies()


def keys_of(unit: Tag) -> set[str]:
    """The keys of the tags that people carry by this definition, its own among them."""
    return {unit.key, *unit.children.values_list("key", flat=True)}


def in_order(units: Iterable[Tag]) -> list[Tag]:
    """The definitions, each after those among them that its rules name; within a circle, in the order given."""
    given = {unit.pk: unit for unit in units}
    owner = {key: unit.pk for unit in given.values() for key in keys_of(unit)}
    needs = {pk: {owner[key] for key in of_unit(unit).tags if key in owner} - {pk} for pk, unit in given.items()}
    ordered: dict[int, Tag] = {}

    def visit(pk: int, walked: frozenset[int]) -> None:
        if pk in ordered or pk in walked:
            return
        for needed in sorted(needs[pk]):
            visit(needed, walked | {pk})
        ordered[pk] = given[pk]

    for pk in given:
        visit(pk, frozenset())
    return list(ordered.values())


def is_watched(unit: Tag) -> bool:
    """Whether an active segment, or a definition that follows at once, depends on a tag of this definition.

    When none does, nobody needs to be told that people were given or lost the tag.
    """
    keys = keys_of(unit)
    followers = Tag.objects.units().filter(is_active=True, rhythm="at_once").exclude(pk=unit.pk)
    rules = (*_definitions_of_segments(), *(rule for follower in followers for rule in _rules(follower)))
    return any(keys & _tags_of(rule) for rule in rules)


def is_cause_watched(cause: str) -> bool:
    """Whether an active segment, or a definition that follows at once, depends on this cause."""
    followers = Tag.objects.units().filter(is_active=True, rhythm="at_once")
    rules = (*_definitions_of_segments(), *(rule for follower in followers for rule in _rules(follower)))
    return any(dependencies_of(rule).concern(cause) for rule in rules)


def circle(start: str, edges: Mapping[str, Iterable[str]]) -> list[str]:
    """The way from `start` back to itself along `edges`, both ends named; empty when there is none."""

    def walk(at: str, way: list[str], seen: set[str]) -> list[str]:
        for following in sorted(edges.get(at, ())):
            if following == start:
                return [*way, start]
            if following not in seen:
                seen.add(following)
                found = walk(following, [*way, following], seen)
                if found:
                    return found
        return []

    return walk(start, [start], {start})


def graph() -> dict[str, set[str]]:
    """What every tag and segment depends on, named as causes: `tag:vip` on `segment:buyers`."""
    edges: dict[str, set[str]] = {}
    for unit in Tag.objects.filter(kind=TagKind.RULE).iterator():
        edges[causes.tag(unit.key)] = named_in(unit.rule)
    for key, definition in Segment.objects.values_list("key", "definition"):
        edges[causes.segment(key)] = named_in(definition)
    return edges


def named_in(definition: object) -> set[str]:
    """The tags and segments that a rule tree names, as causes."""
    named = dependencies_of(definition).causes
    return {cause for cause in named if cause.startswith((causes.tag(""), causes.segment("")))}


def segments_in_order() -> list[tuple[int, str]]:
    """Id and key of every active dynamic segment, each after those that its rule asks for."""
    rows = Segment.objects.following().order_by("pk").values_list("key", "pk", "definition")
    segments = {key: (pk, dependencies_of(definition).segments) for key, pk, definition in rows}
    ordered: dict[str, int] = {}

    def visit(key: str, walked: frozenset[str]) -> None:
        if key in ordered or key in walked:
            return
        pk, needs = segments[key]
        for needed in sorted(needs & segments.keys()):
            visit(needed, walked | {key})
        ordered[key] = pk

    for key in segments:
        visit(key, frozenset())
    return [(pk, key) for key, pk in ordered.items()]


def _rules(unit: Tag) -> Iterator[object]:
    if unit.kind == TagKind.RULE:
        yield unit.rule
    elif unit.kind == TagKind.GROUP:
        yield from unit.children.filter(kind=TagKind.RULE).values_list("rule", flat=True)


def _definitions_of_segments() -> list[object]:
    return list(Segment.objects.following().values_list("definition", flat=True))


def _tags_of(definition: object) -> set[str]:
    return {cause.removeprefix(causes.tag("")) for cause in named_in(definition) if cause.startswith(causes.tag(""))}


def _neutral(definition: object) -> object:
    """The tree with 1 for each parameter: what it depends on does not depend on figures."""
    if isinstance(definition, dict):
        return 1 if set(definition) == {"parameter"} else {key: _neutral(value) for key, value in definition.items()}
    return [_neutral(item) for item in definition] if isinstance(definition, list) else definition
