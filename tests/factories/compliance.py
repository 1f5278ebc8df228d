"""Factories of the compliance models."""

import hashlib
from datetime import UTC, datetime

import factory
from factory.django import DjangoModelFactory

from compliance import keys, vault
from compliance.channels import Channel
from compliance.models import Notice, Purpose, Subject, Suppression, SuppressionReason
from compliance.uuid7 import uuid7

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)


class SubjectFactory(DjangoModelFactory[Subject]):
    class Meta:
        model = Subject

    uid = factory.LazyFunction(uuid7)
    created_at = LONG_AGO
    wrapped_key = factory.LazyAttribute(lambda made: vault.wrap(keys.master_key(), vault.new_data_key(), made.uid))


class PurposeFactory(DjangoModelFactory[Purpose]):
    class Meta:
        model = Purpose
        django_get_or_create = ("key",)

    key = "offers"
    name = "Offers and news"


class NoticeFactory(DjangoModelFactory[Notice]):
    class Meta:
        model = Notice

    purpose = factory.SubFactory(PurposeFactory)
    version = factory.Sequence(lambda number: number + 1)
    language = "en"
    text = "We would like to write to you about offers."
    text_sha256 = factory.LazyAttribute(lambda made: hashlib.sha256(made.text.encode()).hexdigest())
    published_at = LONG_AGO


class SuppressionFactory(DjangoModelFactory[Suppression]):
    class Meta:
        model = Suppression

    digest = factory.Sequence(lambda number: hashlib.sha256(str(number).encode()).digest())
    channel = Channel.EMAIL
    reason = SuppressionReason.STAFF
    created_at = LONG_AGO
    created_by = "user:somebody"
