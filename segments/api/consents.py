"""What people decided: recording it and reading it back. Here rather than in compliance, because recording a fresh
consent needs the address that the person is written to."""

from typing import Any

from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from compliance.api.base import ApiView
from compliance.api.fields import ChoiceField, MomentField, ObjectField, StrictSerializer, TextField, UidField
from compliance.api.idempotency import idempotent
from compliance.api.pages import PageQuery, page
from compliance.channels import Channel
from compliance.models import ConsentAction, ConsentMethod, ConsentRecord, ConsentState, Notice, Purpose, Subject
from compliance.selectors.people import whole_person
from compliance.services import consent
from segments.address_kinds import ADDRESS_KINDS
from segments.models import Identity

ACTIONS = [ConsentAction.GIVEN.value, ConsentAction.WITHDRAWN.value]
METHODS = [ConsentMethod.FORM.value, ConsentMethod.DOUBLE_OPT_IN.value, ConsentMethod.API.value]
MAX_SMALL = 2**31 - 1


class NoticeRef(StrictSerializer):
    """The exact words that were shown."""

    version = serializers.IntegerField(min_value=1, max_value=MAX_SMALL)
    language = TextField(max_length=12, help_text=gettext_lazy("BCP 47 tag"))


class ConsentWrite(StrictSerializer):
    """One decision of one person for one purpose and channel."""

    subject = UidField(help_text=gettext_lazy("uid of the profile"))
    purpose = TextField(max_length=50, help_text=gettext_lazy("key of the purpose"))
    channel = ChoiceField(choices=Channel.values)
    action = ChoiceField(choices=ACTIONS)
    method = ChoiceField(choices=METHODS)
    notice = NoticeRef(required=False, help_text=gettext_lazy("needed when consent is given"))
    source = TextField(  # type: ignore[assignment]
        max_length=consent.SOURCE_LENGTH, help_text=gettext_lazy("system or place the decision came from")
    )
    occurred_at = MomentField(help_text=gettext_lazy("when the person decided (RFC 3339)"))
    expires_at = MomentField(required=False)
    evidence = ObjectField(required=False, help_text=gettext_lazy("proof, such as form version and session"))


class NoticeRead(serializers.Serializer[Notice]):
    """The words that were shown, by version, language and digest."""

    version = serializers.IntegerField()
    language = serializers.CharField()
    text_sha256 = serializers.CharField()


class ConsentRead(serializers.Serializer[ConsentRecord]):
    """A line of the consent ledger. `is_current` marks the one that counts for its purpose and channel."""

    uid = serializers.UUIDField()
    subject = serializers.UUIDField(source="subject.uid")
    purpose = serializers.CharField(source="purpose.key")
    channel = serializers.ChoiceField(choices=Channel.values)
    action = serializers.ChoiceField(choices=ConsentAction.values)
    method = serializers.ChoiceField(choices=ConsentMethod.values)
    notice = NoticeRead(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    occurred_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    evidence = ObjectField()
    recorded_at = serializers.DateTimeField()
    recorded_by = serializers.CharField()
    is_current = serializers.BooleanField()


class ConsentPage(serializers.Serializer[Any]):
    """Part of a person's consent history, oldest record first."""

    results = ConsentRead(many=True)
    next = serializers.CharField(allow_null=True)


class ConsentQuery(PageQuery):
    """Whose history."""

    subject = UidField(help_text=gettext_lazy("uid of the profile"))


class ConsentsView(ApiView):
    """The consent ledger."""

    scopes = {"GET": ["consents:read"], "POST": ["consents:write"]}

    @extend_schema(
        operation_id="consents_list",
        summary="Read the consent history of a person",
        description="With the records of profiles that were merged into the person; a record carried over from one of "
        "them names it in `evidence.carried_from`.",
        parameters=[ConsentQuery],
        responses=ConsentPage,
        tags=["consents"],
    )
    def get(self, request: Request) -> Response:
        query = self.read(ConsentQuery, request)
        limit = query.validated_data["limit"]
        named = Subject.objects.filter(uid=query.validated_data["subject"]).values_list("pk", flat=True).first()
        records = _records().filter(subject__in=whole_person(named) if named else [])
        after = query.after()
        if after:
            records = records.filter(pk__gt=after[0])
        rows = list(records.order_by("pk")[: limit + 1])
        return Response(
            page(rows, limit=limit, key=lambda record: (record.pk,), show=lambda record: ConsentRead(record).data)
        )

    @extend_schema(
        summary="Record a decision",
        description="The ledger keeps every decision; the newest by `occurred_at` counts, and a withdrawal when two "
        "are equal. A fresh consent (`form`, `double_opt_in`) lifts the person's own earlier unsubscribing; `api` "
        "does not.",
        request=ConsentWrite,
        responses={201: ConsentRead},
        tags=["consents"],
    )
    @idempotent
    def post(self, request: Request) -> Response:
        given = self.read(ConsentWrite, request).validated_data
        decision = _decision(given)
        try:
            record = consent.record(
                decision=decision,
                actor=self.actor,
                now=timezone.now(),
                digest=_address_digest(decision.subject_id, decision.channel),
            )
        except consent.ConsentError as error:
            raise ValidationError({error.field: [error.reason]}) from None
        return Response(ConsentRead(_records().get(pk=record.pk)).data, status=201)


def _records() -> Any:
    current = ConsentState.objects.filter(record=OuterRef("pk"))
    return ConsentRecord.objects.select_related("subject", "purpose", "notice").annotate(is_current=Exists(current))


def _decision(given: dict[str, Any]) -> consent.Decision:
    subject_id = Subject.objects.filter(uid=given["subject"]).values_list("pk", flat=True).first()
    if subject_id is None:
        raise ValidationError({"subject": [_("There is no such person.")]})
    purpose_id = purpose_named(given["purpose"])
    return consent.Decision(
        subject_id=subject_id,
        purpose_id=purpose_id,
        channel=given["channel"],
        action=given["action"],
        method=given["method"],
        notice_id=_notice(purpose_id, given["notice"]) if "notice" in given else None,
        source=given["source"],
        occurred_at=given["occurred_at"],
        expires_at=given.get("expires_at"),
        evidence=given.get("evidence", {}),
    )


def purpose_named(key: str) -> int:
    """The id of the purpose. Raises `ValidationError`."""
    found = Purpose.objects.filter(key=key).values_list("pk", flat=True).first()
    if found is None:
        raise ValidationError({"purpose": [_("There is no such purpose.")]})
    return found


def _notice(purpose_id: int, given: dict[str, Any]) -> int:
    notices = Notice.objects.filter(purpose=purpose_id, version=given["version"], language=given["language"])
    found = notices.values_list("pk", flat=True).first()
    if found is None:
        raise ValidationError({"notice": [_("This purpose has no such notice.")]})
    return found


def _address_digest(subject_id: int, channel: str) -> bytes | None:
    """The address that the person is written to on the channel; of somebody who was merged, the survivor's."""
    kind = ADDRESS_KINDS.get(channel)
    rows = Identity.objects.filter(profile__in=whole_person(subject_id), kind=kind, is_primary=True)
    found = rows.values_list("digest", flat=True).first() if kind else None
    return bytes(found) if found is not None else None
