"""Tags that come from outside: by hand, from another system, from a model; and their removal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from compliance.services import audit
from segments import causes
from segments.models import Output, Profile, ProfileTag, Tag, TagExclusion, TagKind
from segments.models.profile_tag import MAX_WEIGHT
from segments.services import touches
from segments.services.tags import computing

GIVEN, EXCLUDED, REJECTED = "given", "excluded", "rejected"
BATCH = 5_000


@dataclass(frozen=True)
class Given:
    """A tag for one person; what is None is as the definition says."""

    profile_id: int
    weight: float | None = None
    confidence: Decimal | None = None
    expires_at: datetime | None = None
    evidence: Mapping[str, str | float] | None = None
    """Figures by name that tell why, such as those of a model."""


def can_be_carried(tag: Tag) -> bool:
    """Whether people carry this tag, rather than those below it."""
    by_category = tag.kind == TagKind.INTEREST or tag.output in (Output.TOP_CATEGORY, Output.EACH_CATEGORY)
    return tag.kind != TagKind.GROUP and not by_category


@transaction.atomic
def assign(*, tag: Tag, given: Given, actor: str, now: datetime) -> ProfileTag:
    """Give a person the tag by hand: computations leave it alone, an earlier removal is lifted, and in an exclusive
    group it replaces the tag that the person carries.

    Raises `ValidationError` by field.
    """
    check(tag, given, now)
    TagExclusion.objects.filter(profile=given.profile_id, tag__in=[tag.pk, tag.parent_id]).delete()
    _give(tag, [given], source=actor, now=now)
    _leaf("tag.assigned", given.profile_id, tag, actor=actor, now=now)
    return ProfileTag.objects.get(profile=given.profile_id, tag=tag)


@transaction.atomic
def assign_many(*, tag: Tag, people: Sequence[Given], source: str, actor: str, now: datetime) -> list[str]:
    """Give many people a tag that comes from outside, by import or by a model (`source` says which); returns what
    became of each: `given`, or `excluded` when the tag was removed from the person for good.

    Of several entries for one person the last counts. Raises `ValidationError` by field for a tag that is computed, and
    for the first entry with figures out of range.
    """
    check_importable(tag)
    for given in people:
        check(tag, given, now)
    wanted = {given.profile_id: given for given in people}
    excluded = set(
        TagExclusion.objects.filter(profile__in=wanted, tag__in=[tag.pk, tag.parent_id]).values_list(
            "profile_id", flat=True
        )
    )
    kept = [wanted[profile_id] for profile_id in sorted(wanted.keys() - excluded)]
    _give(tag, kept, source=source, now=now)
    audit.append(
        action="tag.imported", actor=actor, object_type="tag", object_id=tag.key,
        details={"source": source, "given": len(kept), "excluded": len(excluded)}, now=now,
    )  # fmt: skip
    return [EXCLUDED if given.profile_id in excluded else GIVEN for given in people]


@transaction.atomic
def remove(*, tag: Tag, profile_id: int, reason: str = "", actor: str, now: datetime) -> bool:
    """Take a tag from a person; returns whether it was carried.

    Unless the tag is only ever given by hand, it stays removed: no computation, import or model gives it again.
    """
    if tag.kind != TagKind.MANUAL:
        TagExclusion.objects.get_or_create(
            profile_id=profile_id, tag=tag, defaults={"reason": reason, "excluded_at": now, "excluded_by": actor}
        )
    carried = [tag.pk, *tag.children.filter(kind=TagKind.CATEGORY).values_list("pk", flat=True)]
    rows = ProfileTag.objects.filter(profile=profile_id, tag__in=carried)
    keys = list(rows.values_list("tag__key", flat=True))
    rows.delete()
    touches.add(touched=[(profile_id, causes.tag(key)) for key in keys], now=now)
    _leaf("tag.removed", profile_id, tag, actor=actor, now=now)
    return bool(keys)


@transaction.atomic
def readmit(*, tag: Tag, profile_id: int, actor: str, now: datetime) -> None:
    """Let a removed tag be given again, and compute it for the person at once."""
    lifted, _rows = TagExclusion.objects.filter(profile=profile_id, tag=tag).delete()
    if not lifted:
        return
    _leaf("tag.readmitted", profile_id, tag, actor=actor, now=now)
    unit = Tag.objects.units().filter(pk__in=[tag.pk, tag.parent_id], is_active=True).first()
    if unit is not None:
        changed = computing.compute_some(unit=unit, people=[profile_id], now=now)
        touches.add(touched=[(one, cause) for cause in changed for one in changed[cause]], now=now)


def _give(tag: Tag, people: Sequence[Given], *, source: str, now: datetime) -> None:
    group = tag.parent if tag.parent is not None and tag.parent.is_exclusive else None
    ids = [given.profile_id for given in people]
    before = ProfileTag.objects.filter(profile__in=ids)
    others = before.filter(group=group).exclude(tag=tag) if group else before.none()
    touched = [(profile_id, causes.tag(key)) for profile_id, key in others.values_list("profile_id", "tag__key")]
    others.delete()
    term = tag.expires_after_days
    usual = None if term is None else now + timedelta(days=term)
    ProfileTag.objects.bulk_create(
        [
            ProfileTag(
                profile_id=given.profile_id, tag=tag, group=group, source=source[:120], is_given=True,
                weight=tag.given_weight if given.weight is None else given.weight, weighed_at=now,
                confidence=tag.given_confidence if given.confidence is None else given.confidence,
                assigned_at=now, expires_at=given.expires_at or usual, evidence=given.evidence,
            )
            for given in people
        ],
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["profile", "tag"],
        update_fields=[
            "weight", "weighed_at", "confidence", "source", "is_given", "assigned_at", "expires_at", "group",
            "evidence",
        ],
    )  # fmt: skip
    touches.add(touched=touched + [(profile_id, causes.tag(tag.key)) for profile_id in ids], now=now)


def check_importable(tag: Tag) -> None:
    """Raises `ValidationError` for a tag that is computed."""
    if tag.kind not in (TagKind.IMPORT, TagKind.MODEL, TagKind.MANUAL):
        raise ValidationError({"tag": _("This tag is computed: it cannot be imported.")})


def check(tag: Tag, given: Given, now: datetime) -> None:
    """Raises `ValidationError`, by field, for figures out of range and for a tag that nobody carries."""
    if not can_be_carried(tag):
        raise ValidationError({"tag": _("This tag groups others: give one of those.")})
    if given.weight is not None and not 0 <= given.weight <= MAX_WEIGHT:
        raise ValidationError({"weight": _("Give a weight of at least 0.")})
    if given.confidence is not None and not 0 <= given.confidence <= 1:
        raise ValidationError({"confidence": _("Give a confidence from 0 to 1.")})
    if given.expires_at is not None and given.expires_at <= now:
        raise ValidationError({"expires_at": _("Give a time in the future.")})


def _leaf(action: str, profile_id: int, tag: Tag, *, actor: str, now: datetime) -> None:
    # Which tag is told by commitment: a tag says something of the person.
    uid = Profile.objects.values_list("subject__uid", flat=True).get(pk=profile_id)
    audit.append(
        action=action, actor=actor, object_type="profile", object_id=str(uid),
        details={"tag": audit.commit_to(tag.key)}, now=now,
    )  # fmt: skip
