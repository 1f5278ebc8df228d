"""Fields that several endpoints of this app take."""

from typing import Any

from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from compliance.addresses import MAX_LENGTH
from compliance.api.fields import StrictSerializer, TextField, UidField
from segments.identities import FIELD_KINDS
from segments.models import Source
from segments.services import sources


class SourceField(serializers.SlugField):
    """The key of the system that the data comes from; a new key makes a new source."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=sources.MAX_KEY, help_text=_("key of the sending system"), **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class IdentifierFields(serializers.Serializer[Any]):
    """The identifiers by which a person is recognised."""

    external_id = TextField(
        max_length=MAX_LENGTH, required=False, help_text=_("customer number, unique within the source")
    )
    email = TextField(max_length=MAX_LENGTH, required=False)
    phone = TextField(max_length=MAX_LENGTH, required=False, help_text=_("E.164, or national for the default region"))
    wechat = TextField(max_length=MAX_LENGTH, required=False, help_text=_("WeChat openid"))
    device = TextField(max_length=MAX_LENGTH, required=False, help_text=_("device id"))


IDENTIFIERS = tuple(FIELD_KINDS)
NAMES = ("uid", *IDENTIFIERS)
"""How a person can be named in a request."""


def source_named(key: str) -> Source | None:
    """The source with this key, when data came from it before."""
    return Source.objects.filter(key=key).first()


class PersonNamed(StrictSerializer, IdentifierFields):
    """A person, by `uid` or by exactly one identifier."""

    rules = {"oneOf": [{"required": [name]} for name in NAMES]}

    uid = UidField(required=False, help_text=_("public id of the profile"))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(name in attrs for name in NAMES) != 1:
            reason = _t("Give exactly one of %(choices)s.") % {"choices": ", ".join(NAMES)}
            raise ValidationError({"uid": [reason]})
        return attrs
