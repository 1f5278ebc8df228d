"""The forms in which people are sent and shown."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from compliance.addresses import MAX_LENGTH
from compliance.api.fields import ChoiceField, DayField, ObjectField, StrictSerializer, TextField, UidField
from segments.api.fields import IDENTIFIERS, IdentifierFields, SourceField
from segments.models import Gender, IdentityKind, MergeCause, Profile, ProfileMerge
from segments.profile_input import MAX_ATTRIBUTES, TEXT_LIMITS
from segments.selectors.merges import merges_of
from segments.services.merging import NOTE_LENGTH


class ProfileWrite(StrictSerializer, IdentifierFields):
    """What a source knows of a person; at least one identifier is needed."""

    rules = {"anyOf": [{"required": [name]} for name in IDENTIFIERS]}

    source = SourceField()  # type: ignore[assignment]
    name = TextField(max_length=TEXT_LIMITS["name"], allow_blank=True, required=False)
    gender = ChoiceField(choices=Gender.values, allow_blank=True, required=False)
    birth_date = DayField(required=False)
    language = TextField(
        max_length=TEXT_LIMITS["language"], allow_blank=True, required=False, help_text=_("BCP 47 tag")
    )
    country = TextField(max_length=2, allow_blank=True, required=False, help_text=_("ISO 3166-1 alpha-2"))
    region = TextField(max_length=TEXT_LIMITS["region"], allow_blank=True, required=False)
    city = TextField(max_length=TEXT_LIMITS["city"], allow_blank=True, required=False)
    timezone = TextField(max_length=TEXT_LIMITS["timezone"], allow_blank=True, required=False, help_text=_("IANA name"))
    attributes = ObjectField(
        max_entries=MAX_ATTRIBUTES, required=False, help_text=_("further attributes, merged name by name")
    )


class ProfileWritten(serializers.Serializer[Any]):
    """The person that was meant. `merged`: the identifiers showed two known people to be one. `in_review`: they also
    name somebody else, whom something contradicts, and staff are to decide."""

    uid = serializers.UUIDField()
    created = serializers.BooleanField()
    merged = serializers.BooleanField()
    in_review = serializers.BooleanField()


class MergeWrite(StrictSerializer):
    """The profile that is taken in."""

    absorb = UidField(help_text=_("uid of the profile that goes into this one"))
    note = TextField(max_length=NOTE_LENGTH, required=False, help_text=_("why they are one person; no names"))


class MergeUndo(StrictSerializer):
    """Why the merge is undone."""

    note = TextField(max_length=NOTE_LENGTH, required=False, help_text=_("why they are two people; no names"))


class MergeRead(serializers.Serializer[ProfileMerge]):
    """A merge of two profiles; `undone_at` is null while it stands."""

    uid = serializers.UUIDField()
    survivor = serializers.UUIDField(source="survivor.subject.uid")
    absorbed = serializers.UUIDField(source="absorbed.subject.uid")
    cause = serializers.ChoiceField(choices=MergeCause.values)
    shared_kinds = serializers.ListField(child=serializers.ChoiceField(choices=IdentityKind.values))
    merged_at = serializers.DateTimeField()
    undone_at = serializers.DateTimeField(allow_null=True)


class ProfileFind(StrictSerializer):
    """An identifier. A customer number (`external_id`) also needs its source."""

    kind = ChoiceField(choices=IDENTIFIERS)
    value = TextField(max_length=MAX_LENGTH)
    source = SourceField(required=False)  # type: ignore[assignment]


class StatsRead(serializers.Serializer[Any]):
    """What a person did, in numbers. RFM quintiles are null for people who never bought."""

    event_count = serializers.IntegerField()
    first_event_at = serializers.DateTimeField(allow_null=True)
    last_event_at = serializers.DateTimeField(allow_null=True)
    order_count = serializers.IntegerField()
    order_amount = serializers.DecimalField(max_digits=16, decimal_places=2)
    first_order_at = serializers.DateTimeField(allow_null=True)
    last_order_at = serializers.DateTimeField(allow_null=True)
    rfm_recency = serializers.IntegerField(allow_null=True)
    rfm_frequency = serializers.IntegerField(allow_null=True)
    rfm_monetary = serializers.IntegerField(allow_null=True)


class TagRead(serializers.Serializer[Any]):
    """A tag that the person carries now."""

    key = serializers.CharField(source="tag.key")
    weight = serializers.FloatField(source="effective_weight", help_text=_("effective now: faded and boosted"))
    confidence = serializers.FloatField()
    expires_at = serializers.DateTimeField(allow_null=True)


class IdentifierRead(serializers.Serializer[Any]):
    """An identifier of the person."""

    kind = serializers.ChoiceField(choices=IdentityKind.values)
    value = serializers.CharField()
    is_primary = serializers.BooleanField()


class ProfileRead(serializers.Serializer[Profile]):
    """A person. `merges` tell of other profiles that are, or were taken for, the same person, newest first."""

    uid = serializers.UUIDField(source="subject.uid")
    name = serializers.SerializerMethodField()
    identifiers = serializers.SerializerMethodField()
    gender = serializers.ChoiceField(choices=Gender.values, allow_blank=True)
    birth_date = serializers.DateField(allow_null=True)
    language = serializers.CharField(allow_blank=True)
    country = serializers.CharField(allow_blank=True)
    region = serializers.CharField(allow_blank=True)
    city = serializers.CharField(allow_blank=True)
    timezone = serializers.CharField(allow_blank=True)
    attributes = ObjectField()
    tags = TagRead(many=True, source="carried_tags")
    stats = StatsRead(allow_null=True)
    merges = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    @extend_schema_field(MergeRead(many=True))
    def get_merges(self, profile: Profile) -> Any:
        return [MergeRead(made).data for made in merges_of(profile)]

    def get_name(self, profile: Profile) -> str | None:
        personal = self.context["personal"]
        return personal.name if personal else None

    @extend_schema_field(IdentifierRead(many=True, allow_null=True))
    def get_identifiers(self, profile: Profile) -> Any:
        personal = self.context["personal"]
        return IdentifierRead(personal.identifiers, many=True).data if personal else None
