"""Changes of what tags mean."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import rfc8785
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from compliance.services import audit
from segments import causes
from segments.models import Output, Rhythm, Tag, TagGain, TagKind, TagParameter
from segments.rules import RuleError
from segments.selectors import tag_dependencies, tag_rules
from segments.services.tags import categories

MAX_DEPTH = 5
COMPUTED = (TagKind.RULE, TagKind.AGGREGATE, TagKind.INTEREST)
FIXED = ("key", "kind")
"""Fields that never change: segments name tags by key, and rows say how they came about."""


@transaction.atomic
def create(
    *,
    fields: Mapping[str, Any],
    parameters: Mapping[str, tuple[Decimal, str]] | None = None,
    gains: Mapping[str, Decimal] | None = None,
    actor: str,
    now: datetime,
) -> Tag:
    """Define a tag by the fields of the model, with its parameters (value and meaning by name) and, for an interest,
    its gains by event. A computed one is due at once.

    Raises `ValidationError` by field.
    """
    tag = Tag(**fields)
    _settle(tag)
    tag.full_clean(exclude=["path"])
    tag.save(force_insert=True)
    for name, (value, description) in (parameters or {}).items():
        TagParameter.objects.create(tag=tag, name=name, value=value, description=description)
    for event_name, gain in (gains or {}).items():
        TagGain.objects.create(tag=tag, event_name=event_name, gain=gain)
    _check_rule(tag)
    _after_change(tag, "tag.created", actor=actor, now=now)
    return tag


@transaction.atomic
def change(*, tag: Tag, fields: Mapping[str, Any], actor: str, now: datetime) -> Tag:
    """Change fields of a definition; what is computed from it is due at once.

    Raises `ValidationError` by field, among others for a circle of parents or of rules, which is named.
    """
    locked = Tag.objects.select_for_update().get(pk=tag.pk)
    for name, value in fields.items():
        if name in FIXED and getattr(locked, name) != value:
            raise ValidationError({name: _("This cannot be changed any more.")})
        setattr(locked, name, value)
    _settle(locked)
    locked.full_clean(exclude=["path"])
    locked.save()
    _check_rule(locked)
    _repath(locked)
    _regroup(locked)
    _after_change(locked, "tag.changed", actor=actor, now=now)
    return locked


def check(*, tag: Tag | None, fields: Mapping[str, Any]) -> None:
    """What `create` (without `tag`) or `change` would refuse, without doing it. Raises `ValidationError` by field."""
    tried = Tag() if tag is None else Tag.objects.get(pk=tag.pk)
    for name, value in fields.items():
        setattr(tried, name, value)
    _settle(tried)
    tried.full_clean(exclude=["path"])
    _check_rule(tried)


def check_parameters(*, tag: Tag, parameters: Mapping[str, Decimal]) -> None:
    """Whether every rule of the tag and below it can be read with these as the tag's parameters. Raises
    `ValidationError` that names the rule."""
    for each in _rules_below(tag):
        try:
            tag_rules.rule_of(each, instead={tag.pk: parameters})
        except RuleError as error:
            raise ValidationError(f"{each.key}: {error}") from error


@transaction.atomic
def details_changed(*, tag: Tag, actor: str, now: datetime) -> None:
    """To be called after parameters or gains of the tag were changed: checks the rules that use them, and lets what is
    computed from them be due at once. Raises `ValidationError`.
    """
    for each in _rules_below(tag):
        _check_rule(each)
        _make_due(each, now)
    _after_change(tag, "tag.details_changed", actor=actor, now=now)


@transaction.atomic
def recompute(*, tag: Tag, actor: str, now: datetime) -> None:
    """Let a definition be computed for everybody as soon as a worker is free. Raises `ValidationError`."""
    if not _make_due(tag, now):
        raise ValidationError(_("This tag is not computed."))
    audit.append(
        action="tag.recompute_asked", actor=actor, object_type="tag", object_id=tag.key, details={}, now=now
    )  # fmt: skip


def _settle(tag: Tag) -> None:
    """Fill in what follows from the rest, and refuse what does not fit together."""
    ancestors = _ancestors(tag)
    parent = tag.parent
    tag.path = f"{parent.path} {tag.position:04d}{tag.key}" if parent else f"{tag.position:04d}{tag.key}"
    if len(ancestors) >= MAX_DEPTH:
        raise ValidationError({"parent": _("Tags nest at most %(most)d levels deep.") % {"most": MAX_DEPTH}})
    if parent is not None and parent.kind not in (TagKind.GROUP, TagKind.MANUAL) and tag.kind != TagKind.CATEGORY:
        raise ValidationError({"parent": _("Choose a group as parent.")})
    in_exclusive = parent is not None and parent.is_exclusive
    if in_exclusive and tag.kind in (TagKind.GROUP, TagKind.AGGREGATE, TagKind.INTEREST):
        raise ValidationError({"parent": _("An exclusive group holds rules and tags from outside only.")})
    if tag.kind == TagKind.AGGREGATE:
        tag.is_exclusive = tag.output == Output.TOP_CATEGORY
    is_unit = (tag.kind in COMPUTED and not in_exclusive) or (tag.kind == TagKind.GROUP and tag.is_exclusive)
    if not is_unit:
        tag.rhythm, tag.crontab, tag.due_at = Rhythm.NEVER, None, None
    elif tag.rhythm == Rhythm.NEVER:
        raise ValidationError({"rhythm": _("Say when the tag is computed.")})
    if (tag.rhythm == Rhythm.CRONTAB) != (tag.crontab_id is not None):
        raise ValidationError({"crontab": _("A crontab goes with the rhythm of that name, and only with it.")})
    _check_kind(tag)


def _check_kind(tag: Tag) -> None:
    needed = {
        TagKind.RULE: ("rule",),
        TagKind.AGGREGATE: ("event_name", "measure", "output"),
        TagKind.INTEREST: ("half_life_days", "floor"),
    }.get(TagKind(tag.kind), ())
    missing = {name: _("This tag needs it.") for name in needed if getattr(tag, name) in (None, "")}
    if missing:
        raise ValidationError(missing)
    if tag.kind != TagKind.RULE and tag.rule is not None:
        raise ValidationError({"rule": _("Only a tag of the kind “rule tree” has one.")})


def _rules_below(tag: Tag) -> QuerySet[Tag]:
    below = Tag.objects.filter(Q(pk=tag.pk) | Q(path__startswith=f"{tag.path} "), kind=TagKind.RULE)
    return below.select_related("parent__parent")


def _ancestors(tag: Tag) -> list[Tag]:
    """The tags above, nearest first. Raises `ValidationError` that names the circle when there is one."""
    above: list[Tag] = []
    walked = tag.parent
    while walked is not None:
        above.append(walked)
        if tag.pk is not None and walked.pk == tag.pk:
            way = " → ".join([tag.key, *(each.key for each in above)])
            raise ValidationError({"parent": _("The parents go in a circle: %(way)s") % {"way": way}})
        walked = walked.parent
    return above


def _check_rule(tag: Tag) -> None:
    if tag.kind != TagKind.RULE:
        return
    try:
        found = tag_rules.rule_of(tag).depends_on()
    except RuleError as error:
        raise ValidationError({"rule": str(error)}) from error
    unknown = sorted(found.tags - set(Tag.objects.filter(key__in=found.tags).values_list("key", flat=True)))
    if unknown:
        raise ValidationError({"rule": _("no such tag: %(tags)s") % {"tags": ", ".join(unknown)}})
    group = tag.parent if tag.parent is not None and tag.parent.is_exclusive else None
    beside = sorted(found.tags & tag_dependencies.keys_of(group)) if group else []
    if beside:
        problem = _("A tag of an exclusive group cannot ask for another of that group: %(tags)s")
        raise ValidationError({"rule": problem % {"tags": ", ".join(beside)}})
    edges = {**tag_dependencies.graph(), causes.tag(tag.key): tag_dependencies.named_in(tag.rule)}
    way = tag_dependencies.circle(causes.tag(tag.key), edges)
    if way:
        raise ValidationError({"rule": _("The rules go in a circle: %(way)s") % {"way": " → ".join(way)}})


def _after_change(tag: Tag, action: str, *, actor: str, now: datetime) -> None:
    categories.inherit(definition=tag)
    _make_due(tag, now)
    # A digest, for a rule may name a person's value.
    state = {
        "kind": tag.kind, "rule": tag.rule, "rhythm": tag.rhythm, "event": tag.event_name, "measure": tag.measure,
        "parameters": {row.name: str(row.value) for row in tag.parameters.all()},
        "gains": {row.event_name: str(row.gain) for row in tag.gains.all()},
    }  # fmt: skip
    digest = hashlib.sha256(rfc8785.dumps(state)).hexdigest()
    audit.append(
        action=action, actor=actor, object_type="tag", object_id=tag.key,
        details={"name": tag.name, "kind": tag.kind, "is_active": tag.is_active, "definition_sha256": digest}, now=now,
    )  # fmt: skip


def _make_due(tag: Tag, now: datetime) -> bool:
    """Let the definition, or the exclusive group that computes it, be due at `now`."""
    mine = Tag.objects.units().filter(pk__in=[tag.pk, tag.parent_id], is_active=True)
    of_group = Q(pk=tag.pk) | Q(kind=TagKind.GROUP)
    return bool(mine.filter(of_group).update(due_at=now))


def _repath(tag: Tag) -> None:
    """Bring the paths of the tags below into line."""
    for child in tag.children.all():
        path = f"{tag.path} {child.position:04d}{child.key}"
        if path != child.path:
            Tag.objects.filter(pk=child.pk).update(path=path)
            child.path = path
            _repath(child)


# A person keeps, of the tags of a group that became exclusive, the one from outside, else the first by position.
_SURPLUS = """
    DELETE FROM segments_profiletag WHERE id IN (
        SELECT id FROM (
            SELECT p.id, row_number() OVER (
                PARTITION BY p.profile_id ORDER BY p.is_given DESC, t.position, t.key
            ) AS place
            FROM segments_profiletag p JOIN segments_tag t ON t.id = p.tag_id WHERE t.parent_id = %(group)s
        ) placed WHERE place > 1
    )
"""
_GROUP = """
    UPDATE segments_profiletag p SET group_id = CASE WHEN g.is_exclusive THEN g.id END
    FROM segments_tag t LEFT JOIN segments_tag g ON g.id = t.parent_id
    WHERE t.id = p.tag_id AND (t.id = %(group)s OR t.parent_id = %(group)s)
      AND p.group_id IS DISTINCT FROM CASE WHEN g.is_exclusive THEN g.id END
"""


def _regroup(tag: Tag) -> None:
    """Let the tags that people carry follow what became exclusive, or stopped being so."""
    groups = [group for group in (tag, tag.parent) if group is not None and group.is_exclusive]
    with connection.cursor() as cursor:
        for group in groups:
            cursor.execute(_SURPLUS, {"group": group.pk})
        cursor.execute(_GROUP, {"group": tag.pk})
