"""Why a person is in a segment, or is not: which nodes of the rule hold for them now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.db.models import Case, IntegerField, Q, Value, When
from django.utils.text import capfirst

from segments.models import ChangeKind, SegmentChange, SegmentKind, SegmentMembership
from segments.rules import Node, RuleError, parse
from segments.rules.compilation import Compilation
from segments.rules.errors import below
from segments.rules.nodes import Group


@dataclass(frozen=True)
class NodeAnswer:
    """A node of a rule tree: its JSON Pointer, how deep it lies, its sentence, and whether it holds for the person."""

    path: str
    depth: int
    sentence: str
    holds: bool


@dataclass(frozen=True)
class Reason:
    """A membership of a person, what let them in, the rule in words and what each node of it says of them now.

    There are no nodes for a list of people, and for a rule that cannot be read any more. The members of a snapshot or
    of an inactive segment stay although the rule may not hold now. `cause` is None where the history does not know.
    """

    membership: SegmentMembership
    sentence: str = ""
    nodes: Sequence[NodeAnswer] = ()
    cause: str | None = None


def segments_of(profile_id: int) -> list[SegmentMembership]:
    """The segments that a person is in, by key."""
    rows = SegmentMembership.objects.filter(profile=profile_id).select_related("segment")
    return list(rows.order_by("segment__key"))


def reasons(profile_id: int, now: datetime) -> list[Reason]:
    """Each segment of the person, and why; one query for each."""
    changes = SegmentChange.objects.filter(profile=profile_id, kind=ChangeKind.ENTERED).order_by("at", "pk")
    causes = dict(changes.values_list("segment_id", "cause"))
    found = segments_of(profile_id)
    return [_reason(membership, causes.get(membership.segment_id), now) for membership in found]


def explain(root: Node, profile_id: int, now: datetime) -> list[NodeAnswer]:
    """All nodes below and with `root`, parents before children, by one query. Nothing holds for who is not there."""
    nodes = list(_walk(root, "", 0))
    conditions = [node for _path, _depth, node in nodes if not isinstance(node, Group)]
    holds = iter(_ask(conditions, profile_id, now))
    answers = {path: next(holds) for path, _depth, node in nodes if not isinstance(node, Group)}
    for path, _depth, node in reversed(nodes):
        if isinstance(node, Group):
            answers[path] = _group_holds(node, path, answers)
    return [NodeAnswer(path, depth, str(capfirst(node.describe())), answers[path]) for path, depth, node in nodes]


def _reason(membership: SegmentMembership, cause: str | None, now: datetime) -> Reason:
    segment = membership.segment
    if segment.kind == SegmentKind.UPLOADED:
        return Reason(membership, cause=cause)
    try:
        rule = parse(segment.definition)
    except RuleError:
        return Reason(membership, cause=cause)
    return Reason(membership, rule.describe(), explain(rule.root, membership.profile_id, now), cause)


def _walk(node: Node, path: str, depth: int) -> Iterator[tuple[str, int, Node]]:
    yield path, depth, node
    if isinstance(node, Group):
        for index, child in enumerate(node.children):
            yield from _walk(child, below(below(path, node.kind), index), depth + 1)


def _ask(conditions: Sequence[Node], profile_id: int, now: datetime) -> list[bool]:
    if not conditions:
        return []
    compilation = Compilation(now=now, only=[profile_id])
    compiled = [condition.compile(compilation) for condition in conditions]
    flags = {
        f"holds_{place}": Case(When(Q(predicate), then=Value(1)), default=Value(0), output_field=IntegerField())
        for place, predicate in enumerate(compiled)
    }
    people = cast("Any", compilation.people(Q())).annotate(**flags)
    rows = list(people.values_list(*flags))
    return [bool(flag) for flag in rows[0]] if rows else [False] * len(conditions)


def _group_holds(group: Group, path: str, answers: dict[str, bool]) -> bool:
    held = [answers[below(below(path, group.kind), index)] for index in range(len(group.children))]
    if group.kind == "all":
        return all(held)
    return any(held) if group.kind == "any" else not any(held)
