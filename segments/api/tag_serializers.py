"""The forms of tags in the API."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from compliance.api.fields import MomentField, StrictSerializer
from segments.api.fields import PersonNamed, SourceField
from segments.models import ProfileTag, Rhythm, Tag, TagKind, TagLayer
from segments.models.profile_tag import MAX_WEIGHT
from segments.selectors.tag_evidence import Evidence, evidence

MAX_BATCH = 1_000
STATUSES = ("given", "excluded", "rejected")


class TagDefinition(serializers.Serializer[Tag]):
    """The definition of a tag; `people` is how many carry it, as last counted."""

    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    parent = serializers.CharField(source="parent.key", default=None, allow_null=True)  # type: ignore[assignment]
    layer = serializers.ChoiceField(choices=TagLayer.values)
    kind = serializers.ChoiceField(choices=TagKind.values)
    is_exclusive = serializers.BooleanField()
    is_active = serializers.BooleanField()
    rhythm = serializers.ChoiceField(choices=Rhythm.values)
    computed_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True)
    people = serializers.IntegerField()
    advice_content = serializers.CharField(allow_blank=True)
    advice_per_week = serializers.IntegerField(allow_null=True)
    advice_channel = serializers.CharField(allow_blank=True)


class TagPage(serializers.Serializer[Any]):
    """Some of the tags, oldest first."""

    results = TagDefinition(many=True)
    next = serializers.CharField(allow_null=True)


class FigureRead(serializers.Serializer[Any]):
    """One fact behind a tag."""

    label = serializers.CharField()  # type: ignore[assignment]
    value = serializers.CharField()


class EvidenceRead(serializers.Serializer[Evidence]):
    """Why the person carries the tag."""

    sentence = serializers.CharField()
    figures = FigureRead(many=True)


class CarriedTag(serializers.Serializer[ProfileTag]):
    """A tag that the person carries now."""

    key = serializers.CharField(source="tag.key")
    name = serializers.CharField(source="tag.name")
    effective_weight = serializers.FloatField()
    weight = serializers.FloatField(help_text=_("as of weighed_at, without boosts"))
    weighed_at = serializers.DateTimeField(allow_null=True)
    confidence = serializers.FloatField()
    source = serializers.CharField()  # type: ignore[assignment]
    assigned_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    evidence = serializers.SerializerMethodField()

    @extend_schema_field(EvidenceRead)
    def get_evidence(self, row: ProfileTag) -> Any:
        return EvidenceRead(evidence(row, self.context["now"])).data


class CarriedTags(serializers.Serializer[Any]):
    """The tags of a person, the heaviest first."""

    results = CarriedTag(many=True)


class Figures(serializers.Serializer[Any]):
    """What may be said of one person's tag."""

    weight = serializers.FloatField(min_value=0, max_value=MAX_WEIGHT, required=False)
    confidence = serializers.DecimalField(
        max_digits=4, decimal_places=3, min_value=0, max_value=1, coerce_to_string=False, required=False
    )
    expires_at = MomentField(required=False)


class TagAssign(StrictSerializer, Figures):
    """A tag for the person; what is left out is as the definition says."""

    tag = serializers.SlugField()


class PersonWrite(PersonNamed, Figures):
    """A person, by `uid` or by exactly one identifier; what else is left out is as the definition says."""


class TagPeopleWrite(StrictSerializer):
    """People who carry the tag, says a source."""

    source = SourceField()  # type: ignore[assignment]
    people = serializers.ListField(child=PersonWrite(), min_length=1, max_length=MAX_BATCH)


class TagOutcome(serializers.Serializer[Any]):
    """What became of one person, in the order given."""

    status = serializers.ChoiceField(choices=STATUSES)
    field = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)


class TagPeopleTaken(serializers.Serializer[Any]):
    """What became of all of them."""

    given = serializers.IntegerField()
    excluded = serializers.IntegerField()
    rejected = serializers.IntegerField()
    results = TagOutcome(many=True)


class TagRemoved(serializers.Serializer[Any]):
    """Whether the person carried the tag."""

    removed = serializers.BooleanField()
