from segments.models.event import Event
from segments.models.identity import Identity, IdentityKind
from segments.models.import_job import ImportJob, ImportKind, ImportState, RejectedRow
from segments.models.join_review import JoinReview, ReviewState
from segments.models.merged_event import MergedEvent
from segments.models.profile import Gender, Profile
from segments.models.profile_merge import MergeCause, ProfileMerge
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
    "JoinReview",
    "MergeCause",
    "MergedEvent",
    "Profile",
    "ProfileMerge",
    "ProfileStats",
    "ProfileTag",
    "RejectedRow",
    "ReviewState",
    "Segment",
    "SegmentMembership",
    "SegmentVersion",
    "Source",
    "Tag",
    "TagLayer",
    "Touch",
]
