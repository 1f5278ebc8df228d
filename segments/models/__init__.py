from segments.models.attribute_type import AttributeType
from segments.models.cleaning_rule import CleaningAction, CleaningRule, CleaningTarget
from segments.models.event import Event
from segments.models.event_type import EventType
from segments.models.identity import Identity, IdentityKind
from segments.models.import_job import ImportJob, ImportKind, ImportState, RejectedRow
from segments.models.profile import Gender, Profile
from segments.models.quality_day import QualityDay
from segments.models.quality_standard import QualityStandard
from segments.models.quarantine import QuarantinedEvent, QuarantineState
from segments.models.segment import Segment, SegmentMembership, SegmentVersion
from segments.models.source import Source
from segments.models.stats import ProfileStats
from segments.models.tag import ProfileTag, Tag, TagLayer
from segments.models.touch import Touch

__all__ = [
    "AttributeType",
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
    "Profile",
    "ProfileStats",
    "ProfileTag",
    "QualityDay",
    "QualityStandard",
    "QuarantineState",
    "QuarantinedEvent",
    "RejectedRow",
    "Segment",
    "SegmentMembership",
    "SegmentVersion",
    "Source",
    "Tag",
    "TagLayer",
    "Touch",
]
