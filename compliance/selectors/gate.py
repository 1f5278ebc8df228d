"""The gate: may this person be contacted at this address, on this channel, for this purpose, now?"""

from datetime import datetime

from django.db.models import Case, CharField, Exists, Expression, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce

from compliance.models import ConsentAction, ConsentState, Subject, Suppression
from compliance.reasons import GateReason


def blocking_reason(*, subject: str, digest: str | None, purpose_id: int, channel: str, now: datetime) -> Expression:
    """An expression that is '' for those who may be contacted and a `GateReason` for the others.

    `subject` and `digest` name the columns of the annotated queryset that hold the subject's id and the address digest;
    `digest` is None on a channel without addresses, where no address can be suppressed.
    The strongest reason wins: erased, merged into somebody else, suppressed, then what the consent says. No record
    means no (GDPR 6(1)(a), 7(1); PIPL 13, 14).
    """
    erased = Subject.objects.filter(pk=OuterRef(subject), erased_at__isnull=False)
    merged = Subject.objects.filter(pk=OuterRef(subject), merged_into__isnull=False)
    consent = (
        ConsentState.objects.filter(subject=OuterRef(subject), purpose=purpose_id, channel=channel)
        .annotate(
            reason=Case(
                When(action=ConsentAction.WITHDRAWN, then=Value(GateReason.CONSENT_WITHDRAWN.value)),
                When(
                    Q(action=ConsentAction.EXPIRED) | Q(expires_at__lte=now),
                    then=Value(GateReason.CONSENT_EXPIRED.value),
                ),
                default=Value(""),
                output_field=CharField(),
            )
        )
        .values("reason")
    )
    reasons = [
        When(Exists(erased), then=Value(GateReason.ERASED.value)),
        When(Exists(merged), then=Value(GateReason.MERGED.value)),
    ]
    if digest is not None:
        suppressed = Suppression.objects.filter(
            Q(channel="") | Q(channel=channel),
            Q(purpose__isnull=True) | Q(purpose=purpose_id),
            digest=OuterRef(digest),
            lifted_at__isnull=True,
        )
        reasons.append(When(Exists(suppressed), then=Value(GateReason.SUPPRESSED.value)))
    return Case(
        *reasons,
        default=Coalesce(Subquery(consent), Value(GateReason.NO_CONSENT.value)),
        output_field=CharField(),
    )
