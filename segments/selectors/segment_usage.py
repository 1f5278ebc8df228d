"""Who asks for a segment. Apps above register what of theirs does when Django starts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from segments import causes
from segments.models import Segment, Tag, TagKind
from segments.selectors import tag_dependencies


@dataclass(frozen=True)
class SegmentUser:
    """Something that asks for a segment: what it is in the active language, and its name."""

    kind: str
    name: str


Finder = Callable[[Segment], Iterable[SegmentUser]]
_finders: list[Finder] = []


def register(finder: Finder) -> None:
    """Let `finder` be asked what of an app uses a segment. Doing so twice does no harm."""
    if finder not in _finders:
        _finders.append(finder)


def users_of(segment: Segment) -> list[SegmentUser]:
    """What is in use and asks for the segment: segments, tags by their rules, and what apps registered."""
    cause = causes.segment(segment.key)
    others = Segment.objects.filter(is_active=True).exclude(pk=segment.pk)
    found = [
        SegmentUser(_("segment"), other.name)
        for other in others
        if cause in tag_dependencies.named_in(other.definition)
    ]
    tags = Tag.objects.filter(is_active=True, kind=TagKind.RULE)
    found += [SegmentUser(_("tag"), tag.name) for tag in tags if cause in tag_dependencies.named_in(tag.rule)]
    return found + users_in_apps(segment)


def users_in_apps(segment: Segment) -> list[SegmentUser]:
    """What of the apps that registered asks for the segment."""
    return [user for finder in _finders for user in finder(segment)]
