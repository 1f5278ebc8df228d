"""The forms of segments in the API."""

from typing import Any

from django.core.exceptions import ValidationError as ModelError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ValidationError

from compliance.api.fields import ChoiceField, FlagField, ObjectField, StrictSerializer, TextField
from compliance.api.pages import PageQuery
from segments.api.fields import PersonNamed, SourceField
from segments.models import ChangeKind, Segment, SegmentChange, SegmentKind, UploadMode
from segments.rules import RuleError
from segments.rules.shares import Share
from segments.selectors.explanations import NodeAnswer, Reason
from segments.selectors.segment_warnings import LABELS, SegmentWarning, of_segment
from segments.selectors.segments import Member
from segments.services.previews import Preview
from segments.services.segment_lists import ACCEPTED, DUPLICATE, REJECTED, NamedOutcome

MAX_BATCH = 1_000
MAX_KEY = 50
MAX_NAME = 120
MAX_DESCRIPTION = 2_000
STATUSES = (ACCEPTED, DUPLICATE, REJECTED)


class Conflict(APIException):
    """The segment is not in a state in which this can be done."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


def rule_problem(error: RuleError) -> ValidationError:
    """A fault of a rule, named by the path of its node: `definition.all.0.op`."""
    steps = [step.replace("~1", "/").replace("~0", "~") for step in error.path.split("/")[1:]]
    return ValidationError({".".join(["definition", *steps]): [error.reason]})


def model_problem(error: ModelError) -> ValidationError:
    """What a service refused, by field."""
    return ValidationError(error.message_dict)


class KeyField(serializers.SlugField):
    """The key of a segment, by which rules and addresses name it."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class SegmentRead(serializers.Serializer[Segment]):
    """A segment; `refreshed_at` is null until its members were first determined."""

    uid = serializers.UUIDField()
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    kind = serializers.ChoiceField(choices=SegmentKind.values)
    version = serializers.IntegerField()
    refreshed_version = serializers.IntegerField(help_text=_("version that the members were found by, 0 for none"))
    is_active = serializers.BooleanField()
    member_count = serializers.IntegerField()
    refreshed_at = serializers.DateTimeField(allow_null=True)
    taken_at = serializers.DateTimeField(allow_null=True, help_text=_("of a snapshot"))


class WarningRead(serializers.Serializer[SegmentWarning]):
    """What deserves a second look."""

    code = serializers.ChoiceField(choices=list(LABELS))
    message = serializers.CharField()


class SegmentDetail(SegmentRead):
    """A segment with its rule, a list of people has none, and what deserves a second look at it."""

    definition = ObjectField(help_text=_("rule tree, empty for a list of people"))
    warnings = serializers.SerializerMethodField()

    @extend_schema_field(WarningRead(many=True))
    def get_warnings(self, segment: Segment) -> Any:
        return [WarningRead(warning).data for warning in of_segment(segment, timezone.now())]


class SegmentPage(serializers.Serializer[Any]):
    """Some of the segments, oldest first."""

    results = SegmentRead(many=True)
    next = serializers.CharField(allow_null=True)


class SegmentWrite(StrictSerializer):
    """A new segment. A snapshot is taken at once; a list of people has no definition."""

    key = KeyField(max_length=MAX_KEY)
    name = TextField(max_length=MAX_NAME)
    description = TextField(max_length=MAX_DESCRIPTION, allow_blank=True, default="")
    kind = ChoiceField(choices=SegmentKind.values, default=SegmentKind.DYNAMIC.value)
    definition = ObjectField(required=False, help_text=_("rule tree"))


class SegmentPatch(StrictSerializer):
    """What is to be different; another definition is a new version."""

    name = TextField(max_length=MAX_NAME, required=False)
    description = TextField(max_length=MAX_DESCRIPTION, allow_blank=True, required=False)
    definition = ObjectField(required=False, help_text=_("rule tree"))
    is_active = FlagField(required=False)


class PreviewWrite(StrictSerializer):
    """A rule that is not saved."""

    definition = ObjectField(help_text=_("rule tree"))


class ShareRead(serializers.Serializer[Share]):
    """How many people match without a condition of the root group, and with it."""

    path = serializers.CharField(help_text=_("JSON Pointer of the condition"))
    without = serializers.IntegerField()
    matching = serializers.IntegerField()


class PreviewRead(serializers.Serializer[Preview]):
    """What the rule would select; null where counting took more than five seconds."""

    sentence = serializers.CharField()
    count = serializers.IntegerField(allow_null=True)
    shares = ShareRead(many=True, allow_null=True)
    warnings = WarningRead(many=True)


class RefreshRead(serializers.Serializer[Any]):
    """How many people entered and left, and how many are members now."""

    entered = serializers.IntegerField()
    left = serializers.IntegerField()
    members = serializers.IntegerField()


class MemberRead(serializers.Serializer[Member]):
    """Somebody who is in the segment now."""

    uid = serializers.UUIDField()
    entered_at = serializers.DateTimeField()


class MemberPage(serializers.Serializer[Any]):
    """Some of the members."""

    results = MemberRead(many=True)
    next = serializers.CharField(allow_null=True)


class MembersWrite(StrictSerializer):
    """People for an uploaded segment."""

    source = SourceField()  # type: ignore[assignment]
    mode = ChoiceField(choices=UploadMode.values, default=UploadMode.ADD.value)
    people = serializers.ListField(child=PersonNamed(), min_length=1, max_length=MAX_BATCH)


class MemberOutcome(serializers.Serializer[NamedOutcome]):
    """What became of one person, in the order given."""

    status = serializers.ChoiceField(choices=STATUSES)
    field = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)


class MembersTaken(RefreshRead):
    """What became of all of them."""

    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = MemberOutcome(many=True)


class HistoryQuery(PageQuery):
    """Which changes."""

    change = ChoiceField(choices=ChangeKind.values, required=False)


class ChangeRead(serializers.Serializer[SegmentChange]):
    """Somebody entered or left."""

    uid = serializers.UUIDField(source="profile.subject.uid")
    change = serializers.ChoiceField(choices=ChangeKind.values, source="kind")
    cause = serializers.CharField(help_text=_("such as event:purchase, clock, refresh, definition, upload"))
    version = serializers.IntegerField(help_text=_("version of the rule"))
    at = serializers.DateTimeField()


class ChangePage(serializers.Serializer[Any]):
    """Some of the changes, latest first."""

    results = ChangeRead(many=True)
    next = serializers.CharField(allow_null=True)


class ExplainQuery(StrictSerializer):
    """Whether to say why."""

    explain = ChoiceField(choices=["true", "false"], default="false")


class NodeRead(serializers.Serializer[NodeAnswer]):
    """A node of the rule, and whether it holds for the person now."""

    path = serializers.CharField(allow_blank=True, help_text=_("JSON Pointer"))
    sentence = serializers.CharField()
    holds = serializers.BooleanField()


class WhyRead(serializers.Serializer[Reason]):
    """Why the person is in; without nodes for a list of people."""

    sentence = serializers.CharField(allow_blank=True)
    cause = serializers.CharField(allow_null=True, help_text=_("what let the person in, where the history knows"))
    nodes = NodeRead(many=True)


class ProfileSegment(serializers.Serializer[Any]):
    """A segment that the person is in."""

    key = serializers.CharField(source="membership.segment.key")
    name = serializers.CharField(source="membership.segment.name")
    kind = serializers.ChoiceField(choices=SegmentKind.values, source="membership.segment.kind")
    entered_at = serializers.DateTimeField(source="membership.entered_at")
    why = serializers.SerializerMethodField()

    @extend_schema_field(WhyRead(allow_null=True))
    def get_why(self, reason: Reason) -> Any:
        return WhyRead(reason).data if self.context["explain"] else None


class ProfileSegments(serializers.Serializer[Any]):
    """The segments of a person, by key."""

    results = ProfileSegment(many=True)
