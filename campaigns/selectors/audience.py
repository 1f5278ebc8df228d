"""Who of a segment may and can get a message, as SQL expressions: the gate, asked at planning and at dispatch."""

from datetime import datetime

from django.db.models import (
    BinaryField,
    Case,
    CharField,
    Expression,
    FilteredRelation,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, NullIf

from campaigns.models import Campaign, Delivery
from campaigns.reasons import ExclusionReason
from compliance.selectors.gate import blocking_reason
from segments.address_kinds import ADDRESS_KINDS
from segments.models import Identity, SegmentMembership

NO_ADDRESS = Cast(Value(None), BinaryField())
"""In-app messages and webhooks reach the person themself: no address is looked up, and none can be suppressed."""


def people(campaign: Campaign, now: datetime) -> QuerySet[SegmentMembership, tuple[int, bytes | None, str, str]]:
    """Profile id, address digest, '' or the reason to leave them out, and time zone, of everybody in the segment."""
    members = SegmentMembership.objects.filter(segment=campaign.segment_id)
    kind = campaign.channel.kind
    if kind not in ADDRESS_KINDS:
        reason = _reason(digest=None, purpose_id=campaign.purpose_id, channel=kind, now=now)
        unaddressed = members.annotate(no_address=NO_ADDRESS, reason=reason)
        return unaddressed.values_list("profile_id", "no_address", "reason", "profile__timezone")
    primary = Q(profile__identities__kind=ADDRESS_KINDS[kind], profile__identities__is_primary=True)
    return (
        members.annotate(address=FilteredRelation("profile__identities", condition=primary))
        .annotate(reason=_reason(digest="address__digest", purpose_id=campaign.purpose_id, channel=kind, now=now))
        .values_list("profile_id", "address__digest", "reason", "profile__timezone")
    )


def with_reason(deliveries: QuerySet[Delivery], *, purpose_id: int, channel: str, now: datetime) -> QuerySet[Delivery]:
    """Deliveries with `reason_now`, what the gate says of the address they were planned for, and `address_now`, the
    digest of the address that would be used (null when there is none left, or the channel has no addresses)."""
    if channel not in ADDRESS_KINDS:
        reason = _reason(digest=None, purpose_id=purpose_id, channel=channel, now=now)
        return deliveries.annotate(reason_now=reason, address_now=NO_ADDRESS)
    primary = Identity.objects.filter(profile_id=OuterRef("profile_id"), kind=ADDRESS_KINDS[channel], is_primary=True)
    return deliveries.annotate(
        reason_now=_reason(digest="address_digest", purpose_id=purpose_id, channel=channel, now=now),
        address_now=Subquery(primary.values("digest")),
    )


def _reason(*, digest: str | None, purpose_id: int, channel: str, now: datetime) -> Expression:
    """The gate's reason; where the gate has none, the lack of an address. `digest` is None where none is needed."""
    gate = blocking_reason(subject="profile_id", digest=digest, purpose_id=purpose_id, channel=channel, now=now)
    if digest is None:
        return gate
    no_address = Case(
        When(**{f"{digest}__isnull": True}, then=Value(ExclusionReason.NO_ADDRESS.value)), default=Value("")
    )
    return Coalesce(NullIf(gate, Value("")), no_address, output_field=CharField())
