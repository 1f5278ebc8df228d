"""Lists of people for uploaded segments: whom they name, and letting them in or out.

People are found by the keyed digest of an identifier. An entry that names nobody has a reason; the others count.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from compliance.services import audit
from segments import causes
from segments.models import Profile, Segment, SegmentKind, Source, UploadMode
from segments.profile_input import IDENTIFIERS, InputError
from segments.services import memberships, segment_sizes
from segments.services.events import UnknownPersonError, find_people
from segments.services.memberships import RefreshResult

IDENTIFIER_NAMES = ("uid", *IDENTIFIERS)
ACCEPTED, DUPLICATE, REJECTED = "accepted", "duplicate", "rejected"


@dataclass(frozen=True)
class Named:
    """A person as a list names them: the kind of identifier (or `uid`) and its value."""

    identifier: str
    value: str


@dataclass(frozen=True)
class NamedOutcome:
    """What became of one entry: `accepted`, `duplicate` of one before it, or `rejected` with field and reason."""

    status: str
    field: str = ""
    reason: str = ""


@transaction.atomic
def take_in(
    *, segment: Segment, people: Sequence[Named], mode: str, source: Source, actor: str, now: datetime
) -> tuple[RefreshResult, list[NamedOutcome]]:
    """Let the people in or out at once; returns what changed, and a result for each entry in order.

    Raises `ValidationError` for a segment that is no list, and for an unknown mode.
    """
    check(segment=segment, mode=mode)
    found = find(people, source)
    seen: set[int] = set()
    outcomes = []
    for owner in found:
        if isinstance(owner, InputError):
            outcomes.append(NamedOutcome(REJECTED, owner.field, owner.reason))
        else:
            outcomes.append(NamedOutcome(DUPLICATE if owner in seen else ACCEPTED))
            seen.add(owner)
    result = apply(segment, seen, mode, now, actor)
    return result, outcomes


def check(*, segment: Segment, mode: str, identifier: str = "uid") -> None:
    """Raises `ValidationError`, by field, unless the segment is a list and mode and identifier are known."""
    if segment.kind != SegmentKind.UPLOADED:
        raise ValidationError({"segment": _("The members of this segment follow from its rule.")})
    if mode not in UploadMode.values:
        raise ValidationError({"mode": _("is none of %(modes)s") % {"modes": ", ".join(UploadMode.values)}})
    if identifier not in IDENTIFIER_NAMES:
        raise ValidationError({"identifier": _("is none of %(kinds)s") % {"kinds": ", ".join(IDENTIFIER_NAMES)}})


def find(people: Sequence[Named], source: Source) -> list[int | InputError]:
    """The profile of each, in order, or why there is none; a public id of before a merge leads to the survivor."""
    uids = {person: _uid(person.value) for person in people if person.identifier == "uid"}
    rows = Profile.objects.filter(subject__uid__in={uid for uid in uids.values() if uid})
    by_uid = dict(rows.values_list("subject__uid", Coalesce("merged_into_id", "pk")))
    others = {(person.identifier, person.value) for person in people if person.identifier != "uid" and person.value}
    found = find_people(source=source, named=others)

    def owner(person: Named) -> int | InputError:
        if not person.value:
            return InputError(person.identifier, _("names nobody"))
        if person.identifier != "uid":
            return found[person.identifier, person.value]
        uid = uids[person]
        if uid is None:
            return InputError("uid", _("is no public id"))
        return by_uid.get(uid) or UnknownPersonError("uid")

    return [owner(person) for person in people]


def apply(segment: Segment, people: Collection[int], mode: str, now: datetime, actor: str) -> RefreshResult:
    """Change the members in the caller's transaction, and tell the history, the audit log and whoever follows."""
    memberships.lock(segment.pk)
    segment.refresh_from_db()
    result = memberships.apply_list(segment=segment, people=people, mode=UploadMode(mode), now=now, cause=causes.UPLOAD)
    Segment.objects.filter(pk=segment.pk).update(
        member_count=result.members, refreshed_at=now, refreshed_version=segment.version
    )
    segment_sizes.record(segment_id=segment.pk, entered=result.entered, left=result.left, now=now)
    if result.entered or result.left:
        details = {"mode": mode, "entered": result.entered, "left": result.left, "members": result.members}
        audit.append(
            action="segment.members_changed", actor=actor, object_type="segment", object_id=str(segment.uid),
            details={"key": segment.key, **details}, now=now,
        )  # fmt: skip
        memberships.tell_followers(segment=segment, now=now)
    return result


def _uid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None
