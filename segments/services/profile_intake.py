"""What sources say of people: cleaned, stored, and counted in the source's quality."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from segments import profile_cleaning
from segments.cells import is_missing
from segments.cleaning import Plan
from segments.models import Profile, Source
from segments.profile_cleaning import CleanedProfile
from segments.profile_input import InputError, ProfileInput
from segments.selectors.cleaning import profile_plan
from segments.selectors.value_types import attribute_schema
from segments.services import profiles, quality
from segments.services.profiles import ProfileResult
from segments.value_types import Schema


def take(
    *, source: Source, inputs: Sequence[ProfileInput], actor: str, now: datetime, is_from_file: bool = False,
    refused: int = 0,
) -> list[ProfileResult]:  # fmt: skip
    """Clean, then create or update one person per input, in one transaction. Returns a result for each, in order.

    Rules that complete a field do so only where nothing is known of the person. `refused` further inputs were so
    malformed that they do not stand in `inputs`; they count in the source's quality only.
    """
    plan, schema = profile_plan(source), attribute_schema()
    read = [_clean(plan, given, schema, is_from_file) for given in inputs]
    good = [item for item in read if isinstance(item, CleanedProfile)]
    with transaction.atomic():
        stored = iter(profiles.upsert_many(source=source, inputs=[item.given for item in good], actor=actor, now=now))
        results = [next(stored) if isinstance(item, CleanedProfile) else item for item in read]
        _complete(source, read, results, actor, now)
        quality.count(source=source, counts=_counts(source, inputs, results, refused), now=now)
    return results


def _clean(plan: Plan, given: ProfileInput, schema: Schema, is_from_file: bool) -> CleanedProfile | ProfileResult:
    try:
        return profile_cleaning.clean(plan, given, schema, is_from_file=is_from_file)
    except InputError as error:
        return ProfileResult(None, field=error.field, reason=error.reason)


def _complete(
    source: Source, read: Sequence[CleanedProfile | ProfileResult], results: Sequence[ProfileResult], actor: str,
    now: datetime,
) -> None:  # fmt: skip
    """Give people the defaults for what is still not known of them."""
    wanted = [
        (item, result.profile_id)
        for item, result in zip(read, results, strict=True)
        if isinstance(item, CleanedProfile) and item.defaults and result.profile_id is not None
    ]
    if not wanted:
        return
    known = Profile.objects.in_bulk([profile_id for _, profile_id in wanted])
    inputs = []
    for item, profile_id in wanted:
        lacking = {name: value for name, value in item.defaults.items() if is_missing(_value(known[profile_id], name))}
        if lacking:
            who = profile_cleaning.identifiers_of(item.given)
            inputs.append(profile_cleaning.with_fields(who, lacking))
    if inputs:
        profiles.upsert_many(source=source, inputs=inputs, actor=actor, now=now)


def _value(profile: Profile, name: str) -> Any:
    if name == "name":
        return profile.name_encrypted
    if name.startswith(profile_cleaning.ATTRIBUTE):
        return profile.attributes.get(name.removeprefix(profile_cleaning.ATTRIBUTE))
    return getattr(profile, name)


def _counts(
    source: Source, inputs: Sequence[ProfileInput], results: Sequence[ProfileResult], refused: int
) -> quality.Counts:
    valid = [given for given, result in zip(inputs, results, strict=True) if result.profile_id is not None]
    wanted = quality.standard_of(source).profile_fields
    return quality.Counts(
        received=len(inputs) + refused,
        valid=len(valid),
        unique=len(valid),
        asked_complete=len(valid) if wanted else 0,
        complete=sum(profile_cleaning.is_complete(given, wanted) for given in valid) if wanted else 0,
    )
