"""What the tests of tags share: people who do things, definitions, what they carry."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from segments.event_input import EventInput
from segments.models import Profile, ProfileTag, Tag
from segments.services import events, followup, sources
from segments.services.tags import computing, definitions
from tests.factories.segments import make_profile

ACTOR = "test"
_numbers = iter(range(1, 10**9))


def person(**fields: Any) -> Profile:
    return make_profile(next(_numbers), **fields)


def do(
    profile: Profile, name: str, at: datetime, *, category: str = "", amount: str | None = None, now: datetime
) -> None:
    """One event of the person, taken in at `now`."""
    event = EventInput(
        event_id=f"e{next(_numbers)}", name=name, occurred_at=at, uid=profile.subject.uid, category=category,
        amount=None if amount is None else Decimal(amount), currency="CNY" if amount else "",
    )  # fmt: skip
    (result,) = events.ingest(source=sources.get_or_create("shop"), events=[event], actor=ACTOR, now=now)
    assert result.status == "accepted", result


def follow(now: datetime) -> None:
    while followup.follow_up(now=now, actor=ACTOR):
        pass


def define(key: str, kind: str, now: datetime, **fields: Any) -> Tag:
    details = {name: fields.pop(name) for name in ("parameters", "gains") if name in fields}
    given = {"key": key, "name": key.capitalize(), "layer": "dynamic", "kind": kind, **fields}
    return definitions.create(fields=given, **details, actor=ACTOR, now=now)


def compute(tag: Tag, now: datetime) -> computing.Changes | None:
    return computing.compute(unit=Tag.objects.get(pk=tag.pk), now=now, actor=ACTOR)


def carried(profile: Profile, now: datetime) -> dict[str, float]:
    """The effective weights of the tags that the person carries, by key."""
    rows = ProfileTag.objects.filter(profile=profile).carried(now).weighed(now)
    return dict(rows.values_list("tag__key", "effective_weight"))
