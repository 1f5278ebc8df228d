"""Joins that contradict what is known, put before staff: one person, or two?"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q

from compliance import vault
from compliance.services import audit, subjects
from segments.models import JoinReview, MergeCause, Profile, ReviewState, Source
from segments.services import merging
from segments.services.joining import Conflict
from segments.services.merging import NOTE_LENGTH, MergeError


def open_many(*, source: Source, conflicts: Sequence[Conflict], actor: str, now: datetime) -> set[int]:
    """Put conflicting joins before staff; returns the places of the inputs whose join waits for them.

    A pair that waits already is asked about once, with the latest input. One that was kept apart, or is one person by
    now, is not asked about.
    """
    waiting = set()
    for conflict in conflicts:
        person, other = conflict.person.now(), conflict.other.now()
        if person is other or person.profile_id is None or other.profile_id is None:
            continue
        if _open(source, conflict, person.profile_id, other.profile_id, actor, now):
            waiting.add(conflict.place)
    return waiting


def merge(*, review: JoinReview, actor: str, now: datetime, note: str = "") -> JoinReview:
    """They are one person: merge them, the one known longest survives. Raises `MergeError`."""
    with transaction.atomic():
        first, second = _today(review)
        locked = _still_open(review)
        if first != second:
            survivor, absorbed = sorted(_profiles(first, second), key=lambda one: (one.created_at, one.pk))
            merging.merge(
                survivor_id=survivor.pk, absorbed_id=absorbed.pk, cause=MergeCause.REVIEW,
                shared_kinds=locked.shared_kinds, actor=actor, now=now, note=note,
            )  # fmt: skip
        return _decide(locked, ReviewState.MERGED, note, actor, now)


def keep_apart(*, review: JoinReview, actor: str, now: datetime, note: str = "") -> JoinReview:
    """They are two people. Raises `MergeError` when they were merged meanwhile: that has to be undone instead."""
    with transaction.atomic():
        first, second = _today(review)
        locked = _still_open(review)
        if first == second:
            raise MergeError("review", "they were merged meanwhile; undo that merge instead")
        return _decide(locked, ReviewState.KEPT_APART, note, actor, now)


def look(*, review: JoinReview, actor: str, now: datetime) -> dict[str, Any]:
    """What the latest input said, for `actor`; it may name people, so the audit log keeps who looked."""
    with transaction.atomic():
        _leaf(review, "input_viewed", actor, now)
        return given(review)


def given(review: JoinReview) -> dict[str, Any]:
    """What the latest input said, readable; empty once the person was erased."""
    key = subjects.data_keys([review.profile_id]).get(review.profile_id)
    if key is None:
        return {}
    said: dict[str, Any] = json.loads(vault.decrypt(key, bytes(review.input_encrypted), _context(review)))
    return said


def _open(source: Source, conflict: Conflict, person: int, other: int, actor: str, now: datetime) -> bool:
    pair = JoinReview.objects.filter(Q(profile=person, other=other) | Q(profile=other, other=person))
    if pair.filter(state=ReviewState.KEPT_APART).exists():
        return False
    said = {name: value for name, value in asdict(conflict.given).items() if value not in (None, {})}
    review = pair.filter(state=ReviewState.OPEN).select_for_update().first()
    if review is not None:
        key = subjects.data_keys([review.profile_id])[review.profile_id]
        review.input_encrypted = _encrypt(review, key, said)
        review.inputs, review.last_at = F("inputs") + 1, now
        review.save(update_fields=["input_encrypted", "inputs", "last_at"])
        return True
    review = JoinReview(
        profile_id=person, other_id=other, source=source, shared_kinds=conflict.kinds,
        contradicting_kinds=conflict.contradicting, created_at=now, last_at=now,
    )  # fmt: skip
    review.input_encrypted = _encrypt(review, subjects.data_keys([person])[person], said)
    review.save(force_insert=True)
    _leaf(review, "opened", actor, now, kinds=conflict.kinds, contradicting=conflict.contradicting)
    return True


def _today(review: JoinReview) -> tuple[int, int]:
    """Who the two are now, locked: they may have been merged into others since."""
    now = subjects.lock([review.profile_id, review.other_id])
    return now[review.profile_id], now[review.other_id]


def _profiles(*profile_ids: int) -> list[Profile]:
    return list(Profile.objects.filter(pk__in=profile_ids))


def _still_open(review: JoinReview) -> JoinReview:
    locked = JoinReview.objects.select_for_update().get(pk=review.pk)
    if locked.state != ReviewState.OPEN:
        raise MergeError("review", "was decided before")
    return locked


def _decide(review: JoinReview, state: ReviewState, note: str, actor: str, now: datetime) -> JoinReview:
    if len(note) > NOTE_LENGTH:
        raise MergeError("note", f"is longer than {NOTE_LENGTH} characters")
    review.state, review.note, review.decided_at, review.decided_by = state, note, now, actor
    review.save(update_fields=["state", "note", "decided_at", "decided_by"])
    _leaf(review, state.value, actor, now)
    return review


def _encrypt(review: JoinReview, key: bytes, said: Mapping[str, Any]) -> bytes:
    return vault.encrypt(key, json.dumps(said, default=str, ensure_ascii=False), _context(review))


def _context(review: JoinReview) -> str:
    return f"join-review:{review.uid}"


def _leaf(review: JoinReview, step: str, actor: str, now: datetime, **details: Any) -> None:
    audit.append(
        action=f"join_review.{step}", actor=actor, object_type="join_review", object_id=str(review.uid),
        details={"profile": review.profile_id, "other": review.other_id, **details}, now=now,
    )  # fmt: skip
