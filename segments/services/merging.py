"""Joining two profiles that are one person, and taking such a join apart again.

The survivor is the profile that is known longest (by `created_at`, then by id), unless staff or a partner say which. It
keeps all it knows; the absorbed profile fills the gaps and stays as an empty one that leads to the survivor.

Undoing gives back what came from the absorbed profile: identifiers, events, tags, and the values that filled gaps, as
far as they still stand as they were filled in. What came after the merge, events and new identifiers too, stays with
the survivor, for nobody can tell whose it was. Merges into one survivor are undone newest first, so that each finds
what it left.
"""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from compliance import vault
from compliance.services import audit, subject_merging, subjects
from compliance.uuid7 import uuid7
from segments import causes
from segments.models import Profile, ProfileMerge
from segments.services import merged_events, merged_parts, statistics, touches

NOTE_LENGTH = 240


class MergeError(Exception):
    """These profiles cannot be merged or parted now; `field` and `reason` say why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def merge(
    *, survivor_id: int, absorbed_id: int, cause: str, actor: str, now: datetime, shared_kinds: Sequence[str] = (),
    note: str = "",
) -> ProfileMerge:  # fmt: skip
    """Let one profile take in another, with all that hangs on it. Raises `MergeError`."""
    if len(note) > NOTE_LENGTH:
        raise MergeError("note", f"is longer than {NOTE_LENGTH} characters")
    if survivor_id == absorbed_id:
        raise MergeError("absorb", "is the same profile")
    with transaction.atomic():
        people = lock([survivor_id, absorbed_id])
        survivor, absorbed = _living(people, survivor_id, "profile"), _living(people, absorbed_id, "absorb")
        keys = subjects.data_keys([survivor_id, absorbed_id])
        if keys.keys() != people.keys():
            raise MergeError("absorb" if survivor_id in keys else "profile", "was erased")
        uid = uuid7()
        # Rows that were merged into the absorbed one lead to the survivor from now on.
        others = list(Profile.objects.filter(merged_into=absorbed).values_list("pk", flat=True))
        Profile.objects.filter(pk__in=others).update(merged_into=survivor)
        events = merged_events.move(survivor_id=survivor_id, absorbed_id=absorbed_id)
        snapshot = merged_parts.move(survivor=survivor, absorbed=absorbed, keys=keys, now=now)
        sealed = json.dumps({**snapshot, "events": events.kept, "others": others}, ensure_ascii=False)
        made = ProfileMerge.objects.create(
            uid=uid, survivor=survivor, absorbed=absorbed, cause=cause, shared_kinds=list(shared_kinds), note=note,
            events_moved=len(events.moved), identities_moved=len(snapshot["identities"]), merged_at=now,
            merged_by=actor, snapshot_encrypted=vault.encrypt(keys[survivor_id], sealed, _context(uid)),
        )  # fmt: skip
        merged_events.remember(merge=made, moved=events.moved)
        statistics.recount(profile_ids=[survivor_id, absorbed_id])
        carried = subject_merging.merge(
            survivor_id=survivor_id, absorbed_id=absorbed_id, reference=str(uid), actor=actor, now=now
        )
        details = {"cause": cause, "kinds": list(shared_kinds), "events": made.events_moved, "consents": carried}
        _finish(made, "profile.merged", details, actor, now)
        return made


def undo(*, merge: ProfileMerge, actor: str, now: datetime, note: str = "") -> ProfileMerge:
    """Part two profiles again. Raises `MergeError`, naming the merge that has to be undone first."""
    if len(note) > NOTE_LENGTH:
        raise MergeError("note", f"is longer than {NOTE_LENGTH} characters")
    with transaction.atomic():
        people = lock([merge.survivor_id, merge.absorbed_id])
        made = ProfileMerge.objects.select_for_update(no_key=True).get(pk=merge.pk)
        _check_undoable(made)
        keys = subjects.data_keys(people)
        if keys.keys() != people.keys():
            raise MergeError("merge", "the person was erased")
        survivor, absorbed = people[made.survivor_id], people[made.absorbed_id]
        blob = bytes(made.snapshot_encrypted)
        snapshot: dict[str, Any] = json.loads(vault.decrypt(keys[survivor.pk], blob, _context(made.uid)))
        merged_events.move_back(merge=made, kept=snapshot["events"])
        merged_parts.move_back(survivor=survivor, absorbed=absorbed, keys=keys, snapshot=snapshot, now=now)
        Profile.objects.filter(pk__in=snapshot["others"]).update(merged_into=absorbed)
        statistics.recount(profile_ids=[survivor.pk, absorbed.pk])
        merged_parts.settle_rfm(survivor_id=survivor.pk, absorbed_id=absorbed.pk, snapshot=snapshot)
        subject_merging.undo(
            survivor_id=survivor.pk, absorbed_id=absorbed.pk, others=snapshot["others"], merged_at=made.merged_at,
            reference=str(made.uid), actor=actor, now=now,
        )  # fmt: skip
        made.undone_at, made.undone_by, made.undone_note = now, actor, note
        made.snapshot_encrypted = b""
        made.save(update_fields=["undone_at", "undone_by", "undone_note", "snapshot_encrypted"])
        made.moved_events.all().delete()
        _finish(made, "profile.merge_undone", {}, actor, now)
        return made


def lock(merged: Collection[int], changed: Collection[int] = ()) -> dict[int, Profile]:
    """Keep others from changing people until the transaction ends; returns those there are.

    Of those to be merged or parted, events and consents are kept too. First subjects, then profiles, then statistics,
    each in the order of ids: everybody who needs several of these locks takes them so.
    """
    if merged:
        subjects.lock(merged)
    rows = Profile.objects.filter(pk__in={*merged, *changed}).order_by("pk").select_for_update(no_key=True)
    people = {profile.pk: profile for profile in rows}
    if merged:
        statistics.lock(profile_ids=sorted(merged))
    return people


def blocking(merge: ProfileMerge) -> ProfileMerge | None:
    """The merge that has to be undone before this one: a later one into its survivor, or of its survivor."""
    later = ProfileMerge.objects.filter(pk__gt=merge.pk, undone_at__isnull=True).order_by("-pk")
    return later.filter(survivor=merge.survivor_id).first() or later.filter(absorbed=merge.survivor_id).first()


def _living(people: dict[int, Profile], profile_id: int, field: str) -> Profile:
    if profile_id not in people:
        raise MergeError(field, "there is no such profile")
    if people[profile_id].merged_into_id is not None:
        raise MergeError(field, "was merged into another profile before")
    return people[profile_id]


def _check_undoable(made: ProfileMerge) -> None:
    if made.undone_at is not None:
        raise MergeError("merge", "was undone before")
    first = blocking(made)
    if first is not None:
        raise MergeError("merge", f"undo the later merge {first.uid} first")


def _finish(made: ProfileMerge, action: str, details: dict[str, Any], actor: str, now: datetime) -> None:
    people = [made.survivor_id, made.absorbed_id]
    touches.add(touched=[(person, causes.IDENTITY) for person in people], now=now)
    audit.append(
        action=action, actor=actor, object_type="merge", object_id=str(made.uid),
        details={"survivor": made.survivor_id, "absorbed": made.absorbed_id, **details}, now=now,
    )  # fmt: skip


def _context(uid: UUID) -> str:
    return f"merge:{uid}"
