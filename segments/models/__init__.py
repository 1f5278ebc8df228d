from segments.models.event import Event
from segments.models.identity import Identity, IdentityKind
from segments.models.import_job import ImportJob, ImportKind, ImportState, RejectedRow
from segments.models.pending_gain import PendingGain
from segments.models.profile import Gender, Profile
from segments.models.profile_tag import ProfileTag
from segments.models.segment import Segment, SegmentMembership, SegmentVersion
from segments.models.source import Source
from segments.models.stats import ProfileStats
from segments.models.tag import Measure, Output, Rhythm, Tag, TagKind, TagLayer
from segments.models.tag_boost import TagBoost
from segments.models.tag_exclusion import TagExclusion
from segments.models.tag_gain import TagGain
from segments.models.tag_parameter import TagParameter
from segments.models.touch import Touch

__all__ = [
    "Event",
    "Gender",
    "Identity",
    "IdentityKind",
    "ImportJob",
    "ImportKind",
    "ImportState",
    "Measure",
    "Output",
    "PendingGain",
    "Profile",
    "ProfileStats",
    "ProfileTag",
    "RejectedRow",
    "Rhythm",
    "Segment",
    "SegmentMembership",
    "SegmentVersion",
    "Source",
    "Tag",
    "TagBoost",
    "TagExclusion",
    "TagGain",
    "TagKind",
    "TagLayer",
    "TagParameter",
    "Touch",
]
