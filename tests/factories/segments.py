"""Factories of the segments models. People are made through the service, so that they are whole."""

from datetime import UTC, datetime
from typing import Any

import factory
from factory.django import DjangoModelFactory

from segments.models import CleaningRule, Profile, Segment, Source, Tag, TagLayer
from segments.profile_input import ProfileInput
from segments.services import profiles

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


class SourceFactory(DjangoModelFactory[Source]):
    class Meta:
        model = Source
        django_get_or_create = ("key",)

    key = "shop"


class CleaningRuleFactory(DjangoModelFactory[CleaningRule]):
    class Meta:
        model = CleaningRule

    name = factory.Sequence(lambda number: f"Rule {number}")
    position = factory.Sequence(lambda number: number)
    target = "events"
    event_names = factory.LazyFunction(list)
    field = "category"
    action = "normalise"
    parameters = factory.LazyFunction(lambda: {"steps": ["trim"]})
    created_at = LONG_AGO


class TagFactory(DjangoModelFactory[Tag]):
    class Meta:
        model = Tag
        django_get_or_create = ("key",)

    key = "vip"
    name = "VIP"
    layer = TagLayer.STATIC


class SegmentFactory(DjangoModelFactory[Segment]):
    class Meta:
        model = Segment

    key = factory.Sequence(lambda number: f"segment-{number}")
    name = "Everybody"
    definition = factory.LazyFunction(lambda: {"all": []})


def make_profile(number: int = 1, **fields: Any) -> Profile:
    """A person with a customer number and an e-mail address, unless the fields say otherwise."""
    given = {"external_id": f"C{number}", "email": f"person-{number}@example.com", "name": f"Person {number}"} | fields
    result = profiles.upsert_many(source=SourceFactory(), inputs=[ProfileInput(**given)], actor="test", now=LONG_AGO)[0]
    assert result.profile_id is not None, result
    return Profile.objects.get(pk=result.profile_id)
