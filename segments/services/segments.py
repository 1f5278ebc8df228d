"""Changes of segments: what they mean, and who is in them."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import rfc8785
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from compliance.services import audit
from segments import causes
from segments.models import Segment, SegmentKind, SegmentVersion, Tag
from segments.rules import Rule, RuleError, parse
from segments.rules.declared import refuse_other_types
from segments.rules.errors import below
from segments.selectors import segment_usage, tag_dependencies
from segments.selectors.segment_usage import SegmentUser
from segments.selectors.value_types import event_schemas
from segments.services import memberships, refreshing
from segments.services.memberships import RefreshResult


class SegmentInUseError(Exception):
    """The segment cannot go: `users` ask for it."""

    def __init__(self, users: Sequence[SegmentUser]) -> None:
        super().__init__(", ".join(f"{user.kind} {user.name}" for user in users))
        self.users = users


@transaction.atomic
def create(
    *,
    key: str,
    name: str,
    definition: Mapping[str, Any],
    description: str = "",
    kind: str = SegmentKind.DYNAMIC,
    actor: str,
    now: datetime,
    user: User | None = None,
) -> Segment:
    """Create a segment with version 1 of its definition. A snapshot is taken at once; the others have no members yet.

    Raises `RuleError` for the definition and `ValidationError`, by field, for a key that is malformed or
    taken, an unknown kind, and a definition for a list of people, which has none (`{}`).
    """
    wanted = _definition(kind, definition, key)
    is_snapshot = kind == SegmentKind.SNAPSHOT
    segment = Segment(
        key=key, name=name, description=description, kind=kind, definition=wanted, taken_at=now if is_snapshot else None
    )
    segment.full_clean()
    segment.save()
    _add_version(segment, action="segment.created", actor=actor, now=now, user=user)
    if is_snapshot:
        _take(segment, now=now, actor=actor)
    return segment


@transaction.atomic
def change_definition(
    *, segment: Segment, definition: Mapping[str, Any], actor: str, now: datetime, user: User | None = None
) -> Segment:
    """Give a segment a new version of its definition; the same definition again changes nothing.

    Members change with the next refresh, those of a snapshot when it is taken again. Raises `RuleError`, and
    `ValidationError` for a list of people.
    """
    wanted = _definition(segment.kind, definition, segment.key)
    locked = Segment.objects.select_for_update().get(pk=segment.pk)
    if locked.definition == wanted:
        return locked
    locked.definition = wanted
    locked.version += 1
    locked.save(update_fields=["definition", "version"])
    _add_version(locked, action="segment.definition_changed", actor=actor, now=now, user=user)
    return locked


@transaction.atomic
def restore(*, segment: Segment, version: int, actor: str, now: datetime, user: User | None = None) -> Segment:
    """Give a segment the definition that it had in an earlier version, as a new version.

    Raises `SegmentVersion.DoesNotExist`, and `RuleError` when the definition cannot be used any more.
    """
    earlier = SegmentVersion.objects.get(segment=segment, version=version)
    changed = change_definition(segment=segment, definition=earlier.definition, actor=actor, now=now, user=user)
    if changed.version != segment.version:
        details = {"version": changed.version, "restored": version}
        _leaf(changed, "segment.version_restored", details, actor=actor, now=now)
    return changed


@transaction.atomic
def change_details(
    *, segment: Segment, name: str, description: str, is_active: bool, actor: str, now: datetime
) -> Segment:
    """Change what does not decide who is in; an inactive segment keeps its members as they are.

    Raises `ValidationError` by field.
    """
    locked = Segment.objects.select_for_update().get(pk=segment.pk)
    locked.name, locked.description, locked.is_active = name, description, is_active
    locked.checked_at = None  # what happened while it was inactive passed it by
    locked.full_clean(exclude=["definition"])
    locked.save(update_fields=["name", "description", "is_active", "checked_at"])
    _leaf(locked, "segment.details_changed", {"name": name, "is_active": is_active}, actor=actor, now=now)
    return locked


@transaction.atomic
def archive(*, segment: Segment, actor: str, now: datetime) -> Segment:
    """Put a segment out of use: it keeps its members, history and versions, and follows nothing any more.

    Raises `SegmentInUseError` while a campaign, a cap, a tag or another segment asks for it.
    """
    users = segment_usage.users_of(segment)
    if users:
        raise SegmentInUseError(users)
    return change_details(
        segment=segment, name=segment.name, description=segment.description, is_active=False, actor=actor, now=now
    )


@transaction.atomic
def refresh(*, segment: Segment, now: datetime, actor: str) -> RefreshResult:
    """Make the members exactly those for whom the definition holds at `now`; waits for a refresh under way.

    Only a dynamic segment follows its definition; the members of others stay as they are. Raises `RuleError` when the
    definition holds a kind of condition that is not registered any more.
    """
    memberships.lock(segment.pk)
    current = Segment.objects.get(pk=segment.pk)
    if current.kind != SegmentKind.DYNAMIC:
        return RefreshResult(entered=0, left=0, members=current.member_count)
    return refreshing.refresh_locked(segment=current, now=now, actor=actor, cause=causes.REFRESH)


@transaction.atomic
def take_snapshot(*, segment: Segment, now: datetime, actor: str) -> RefreshResult:
    """Take a snapshot anew: its members become those for whom the definition holds at `now`.

    Raises `ValidationError` for a segment that is none, and `RuleError`.
    """
    if segment.kind != SegmentKind.SNAPSHOT:
        raise ValidationError({"kind": _("This segment is no snapshot.")})
    return _take(segment, now=now, actor=actor)


def _take(segment: Segment, *, now: datetime, actor: str) -> RefreshResult:
    memberships.lock(segment.pk)
    current = Segment.objects.get(pk=segment.pk)
    result = refreshing.refresh_locked(segment=current, now=now, actor=actor, cause=causes.SNAPSHOT)
    Segment.objects.filter(pk=segment.pk).update(taken_at=now)
    _leaf(current, "segment.snapshot_taken", {"members": result.members}, actor=actor, now=now)
    return result


def _definition(kind: str, definition: Mapping[str, Any], key: str) -> dict[str, Any]:
    if kind != SegmentKind.UPLOADED:
        return check(definition=definition, key=key).to_json()
    if definition:
        raise ValidationError({"definition": _("A list of people has no rule.")})
    return {}


def check(*, definition: Mapping[str, Any], key: str = "") -> Rule:
    """The parsed definition of the segment called `key`, with all tags and segments that it names known, filters of
    the types that their properties are declared with, and no circle.

    Without a key it is a rule by itself. Raises `RuleError`.
    """
    rule = parse(definition)
    named = rule.depends_on()
    refuse_other_types(definition, event_schemas(named.events))
    for tag in sorted(named.tags - set(Tag.objects.filter(key__in=named.tags).values_list("key", flat=True))):
        raise RuleError(_path_of(definition, {"tag": tag}), _("no such tag: %(tags)s") % {"tags": tag})
    known = {key, *Segment.objects.filter(key__in=named.segments).values_list("key", flat=True)}
    for other in sorted(named.segments - known):
        raise RuleError(_path_of(definition, {"segment": other}), _("no such segment: %(keys)s") % {"keys": other})
    edges = {**tag_dependencies.graph(), causes.segment(key): tag_dependencies.named_in(definition)}
    way = tag_dependencies.circle(causes.segment(key), edges) if key else []
    if way:
        raise RuleError("", _("The rules go in a circle: %(way)s") % {"way": " → ".join(way)})
    return rule


def _path_of(node: Any, wanted: Mapping[str, Any], path: str = "") -> str:
    """The JSON Pointer of the first object in `node` that holds what is wanted, "" when none does."""
    if isinstance(node, Mapping) and wanted.items() <= node.items():
        return path
    members = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list) else ()
    return next(filter(None, (_path_of(member, wanted, below(path, step)) for step, member in members)), "")


def _add_version(segment: Segment, *, action: str, actor: str, now: datetime, user: User | None) -> None:
    SegmentVersion.objects.create(
        segment=segment,
        version=segment.version,
        definition=segment.definition,
        created_at=now,
        created_by=user,
    )
    # A digest, for a rule may name a person's value; the version row holds the words.
    digest = hashlib.sha256(rfc8785.dumps(segment.definition)).hexdigest()
    _leaf(segment, action, {"version": segment.version, "definition_sha256": digest}, actor=actor, now=now)


def _leaf(segment: Segment, action: str, details: Mapping[str, Any], *, actor: str, now: datetime) -> None:
    audit.append(
        action=action,
        actor=actor,
        object_type="segment",
        object_id=str(segment.uid),
        details={"key": segment.key, **details},
        now=now,
    )
