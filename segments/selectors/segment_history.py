"""Who entered and left segments, when and why."""

from collections.abc import Sequence

from django.db.models import Q
from django.utils.translation import gettext as _

from segments import causes
from segments.models import Segment, SegmentChange

MAX_PAGE = 1_000


def changes_after(
    segment: Segment, *, cursor: int | None = None, limit: int = 100, kind: str = ""
) -> list[SegmentChange]:
    """Up to `limit` (at most 1,000) changes of a segment, latest first, each with profile and subject.

    Pass the last one's `pk` as the next cursor. `kind` takes the entries or the exits alone.
    """
    rows = SegmentChange.objects.filter(segment=segment).select_related("profile__subject")
    if cursor is not None:
        rows = rows.filter(pk__lt=cursor)
    if kind:
        rows = rows.filter(kind=kind)
    return list(rows.order_by("-pk")[: min(limit, MAX_PAGE)])


def changes_of(profile_id: int, limit: int = 50) -> Sequence[SegmentChange]:
    """The last changes of a person, latest first; also what they did as profiles that this one has taken in."""
    rows = SegmentChange.objects.filter(Q(profile=profile_id) | Q(profile__merged_into=profile_id))
    return list(rows.select_related("segment").order_by("-at", "-pk")[:limit])


def cause_in_words(cause: str) -> str:
    """A cause of the history in the active language, such as "event purchase"."""
    fixed = {
        causes.CLOCK: _("time passed"),
        causes.REFRESH: _("refreshed by hand"),
        causes.DEFINITION: _("new rule"),
        causes.SNAPSHOT: _("snapshot taken"),
        causes.UPLOAD: _("uploaded list"),
        causes.MERGE: _("profiles merged or parted"),
        causes.RFM: _("RFM computed"),
        causes.CONSENT: _("consent changed"),
        causes.DELIVERY: _("message sent"),
    }
    if cause in fixed:
        return fixed[cause]
    kind, _colon, name = cause.partition(":")
    texts = {
        "event": _("event %(name)s"),
        "attribute": _("attribute %(name)s"),
        "tag": _("tag %(name)s"),
        "segment": _("segment %(name)s"),
    }
    return texts[kind] % {"name": name} if kind in texts else cause
