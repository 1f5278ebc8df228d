"""Unsubscribing an address that a partner system was told about, whether or not the person is known."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from compliance import addresses
from compliance.addresses import MAX_LENGTH
from compliance.api.base import ApiView
from compliance.api.fields import ChoiceField, StrictSerializer, TextField
from compliance.api.idempotency import idempotent
from compliance.models import ConsentMethod
from compliance.services import unsubscribe
from compliance.services.consent import SOURCE_LENGTH
from segments.address_kinds import ADDRESS_KINDS
from segments.api.consents import purpose_named
from segments.models import Identity

CHANNELS = [str(channel) for channel in ADDRESS_KINDS]


class UnsubscribeWrite(StrictSerializer):
    """Whom to leave alone, on which channel, and for which purpose (all of them when left out)."""

    channel = ChoiceField(choices=CHANNELS)
    address = TextField(max_length=MAX_LENGTH, help_text=_("e-mail address, phone number, openid or device id"))
    purpose = TextField(max_length=50, required=False, help_text=_("key of the purpose"))
    source = TextField(max_length=SOURCE_LENGTH, help_text=_("system or place the wish came from"))  # type: ignore[assignment]


class UnsubscribedPurpose(serializers.Serializer[Any]):
    """A purpose for which the address is left alone now."""

    purpose = serializers.CharField()
    channel = serializers.ChoiceField(choices=CHANNELS)


class UnsubscribedRead(serializers.Serializer[Any]):
    """What the address is left alone for now."""

    results = UnsubscribedPurpose(many=True)


class UnsubscribeView(ApiView):
    """Unsubscribing by address."""

    scopes = {"POST": ["consents:write"]}

    @extend_schema(
        summary="Unsubscribe an address",
        description="Effective before the answer. The address is suppressed even when nobody is known by it; doing it "
        "twice changes nothing. The answer does not tell whether the person is known.",
        request=UnsubscribeWrite,
        responses=UnsubscribedRead,
        tags=["consents"],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given = self.read(UnsubscribeWrite, request).validated_data
        digest = _digest(given["channel"], given["address"])
        owner = Identity.objects.filter(kind=ADDRESS_KINDS[given["channel"]], digest=digest)
        done = unsubscribe.by_address(
            digest=digest,
            subject_id=owner.values_list("profile_id", flat=True).first(),
            purpose_id=purpose_named(given["purpose"]) if "purpose" in given else None,
            channel=given["channel"],
            method=ConsentMethod.API,
            source=given["source"],
            actor=self.actor,
            now=timezone.now(),
        )
        return Response({"results": [{"purpose": item.purpose.key, "channel": item.channel} for item in done]})


def _digest(channel: str, address: str) -> bytes:
    kind = ADDRESS_KINDS[channel]
    try:
        return addresses.digest(kind, addresses.normalise(kind, address))
    except addresses.AddressError as error:
        raise ValidationError({"address": [str(error)]}) from None
