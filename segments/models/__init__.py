from segments.models.attribute_type import AttributeType
from segments.models.cleaning_rule import CleaningAction, CleaningRule, CleaningTarget
from segments.models.event import Event
from segments.models.event_type import EventType
from segments.models.identity import Identity, IdentityKind
from segments.models.import_job import ImportJob, ImportKind, ImportState, RejectedRow
from segments.models.join_review import JoinReview, ReviewState
from segments.models.merged_event import MergedEvent
from segments.models.pending_gain import PendingGain
from segments.models.profile import Gender, Profile
from segments.models.profile_merge import MergeCause, ProfileMerge
from segments.models.profile_tag import ProfileTag
from segments.models.quality_day import QualityDay
from segments.models.quality_standard import QualityStandard
from segments.models.quarantine import QuarantinedEvent, QuarantineState
from segments.models.segment import Segment, SegmentKind
from segments.models.segment_change import ChangeKind, SegmentChange
from segments.models.segment_membership import SegmentMembership
from segments.models.segment_size import SegmentSize
from segments.models.segment_upload import SegmentUpload, UploadMode
from segments.models.segment_version import SegmentVersion
from segments.models.source import Source
from segments.models.stats import ProfileStats
from segments.models.tag import Measure, Output, Rhythm, Tag, TagKind, TagLayer
from segments.models.tag_boost import TagBoost
from segments.models.tag_exclusion import TagExclusion
from segments.models.tag_gain import TagGain
from segments.models.tag_parameter import TagParameter
from segments.models.touch import Touch

__all__ = [
    "AttributeType",
    "ChangeKind",
    "CleaningAction",
    "CleaningRule",
    "CleaningTarget",
    "Event",
    "EventType",
    "Gender",
    "Identity",
    "IdentityKind",
    "ImportJob",
    "ImportKind",
    "ImportState",
    "JoinReview",
    "Measure",
    "MergeCause",
    "MergedEvent",
    "Output",
    "PendingGain",
    "Profile",
    "ProfileMerge",
    "ProfileStats",
    "ProfileTag",
    "QualityDay",
    "QualityStandard",
    "QuarantineState",
    "QuarantinedEvent",
    "RejectedRow",
    "ReviewState",
    "Rhythm",
    "Segment",
    "SegmentChange",
    "SegmentKind",
    "SegmentMembership",
    "SegmentSize",
    "SegmentUpload",
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
    "UploadMode",
]
