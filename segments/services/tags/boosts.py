"""Boosts: a factor on a tag's weight for a time. What was effective at a moment is never changed afterwards."""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from compliance.services import audit
from segments.models import Tag, TagBoost


@transaction.atomic
def create(
    *, tag: Tag, factor: Decimal, goal: str, starts_at: datetime, ends_at: datetime, actor: str, now: datetime
) -> TagBoost:
    """Boost a tag from `starts_at`, at the earliest now, until before `ends_at`. Raises `ValidationError` by field."""
    boost = TagBoost(
        tag=tag, factor=factor, goal=goal, starts_at=max(starts_at, now), ends_at=ends_at, created_at=now
    )  # fmt: skip
    if ends_at <= boost.starts_at:
        raise ValidationError({"ends_at": _("Must be later than the start, and in the future.")})
    boost.full_clean()
    boost.save()
    _leaf("tag.boosted", boost, actor=actor, now=now)
    return boost


@transaction.atomic
def end(*, boost: TagBoost, actor: str, now: datetime) -> TagBoost:
    """End a boost now; one that has not begun will not begin, one that is over stays as it was."""
    locked = TagBoost.objects.select_for_update().get(pk=boost.pk)
    ends_at = max(min(locked.ends_at, now), locked.starts_at)
    if ends_at != locked.ends_at:
        locked.ends_at = ends_at
        locked.save(update_fields=["ends_at"])
        _leaf("tag.boost_ended", locked, actor=actor, now=now)
    return locked


def _leaf(action: str, boost: TagBoost, *, actor: str, now: datetime) -> None:
    details = {
        "factor": str(boost.factor), "goal": boost.goal, "starts_at": boost.starts_at.isoformat(),
        "ends_at": boost.ends_at.isoformat(),
    }  # fmt: skip
    audit.append(action=action, actor=actor, object_type="tag", object_id=boost.tag.key, details=details, now=now)
