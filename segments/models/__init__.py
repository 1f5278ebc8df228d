from segments.models.event import Event
from segments.models.identity import Identity, IdentityKind
from segments.models.import_job import ImportJob, ImportKind, ImportState, RejectedRow
from segments.models.profile import Gender, Profile
from segments.models.segment import Segment, SegmentMembership, SegmentVersion
from segments.models.source import Source
from segments.models.stats import ProfileStats
from segments.models.tag import ProfileTag, Tag, TagLayer
from segments.models.touch import Touch

__all__ = [
    "Event",
    "Gender",
    "Identity",
    "IdentityKind",
    "ImportJob",
    "ImportKind",
    "ImportState",
    "Profile",
    "ProfileStats",
    "ProfileTag",
    "RejectedRow",
    "Segment",
    "SegmentMembership",
    "SegmentVersion",
    "Source",
    "Tag",
    "TagLayer",
    "Touch",
]
