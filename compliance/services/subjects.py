"""Subjects and the keys that make their data readable."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models.functions import Coalesce

from compliance import keys, vault
from compliance.models import Subject
from compliance.uuid7 import uuid7

BATCH = 5_000


def create_many(*, count: int, now: datetime) -> list[tuple[Subject, bytes]]:
    """Create subjects, each with a data key of its own; returns them with their keys, in the order of their ids."""
    master_key = keys.master_key()
    made: list[tuple[Subject, bytes]] = []
    for _ in range(count):
        uid, data_key = uuid7(), vault.new_data_key()
        subject = Subject(uid=uid, wrapped_key=vault.wrap(master_key, data_key, uid), created_at=now)
        made.append((subject, data_key))
    Subject.objects.bulk_create([subject for subject, _ in made], batch_size=BATCH)
    return made


def data_keys(subject_ids: Iterable[int]) -> dict[int, bytes]:
    """The data keys of these subjects by id. Those who were erased are absent: their key is gone."""
    master_key = keys.master_key()
    rows = Subject.objects.filter(pk__in=list(subject_ids), wrapped_key__isnull=False)
    return {
        subject_id: vault.unwrap(master_key, bytes(wrapped), uid)
        for subject_id, uid, wrapped in rows.values_list("pk", "uid", "wrapped_key")
        if wrapped is not None
    }


def lock(subject_ids: Iterable[int]) -> dict[int, int]:
    """Keep others from deciding for these people, and from merging them, until the transaction ends.

    Returns, for each there is, who they are: themselves, or the survivor into whom they were merged, who is locked as
    well. In the order of ids, so that two callers never wait for each other in a circle.
    """
    wanted = set(subject_ids)
    while True:
        known = Subject.objects.filter(pk__in=wanted).values_list("pk", Coalesce("merged_into_id", "pk"))
        both = {pk for pair in known for pk in pair}
        before = transaction.savepoint()
        rows = Subject.objects.filter(pk__in=both).order_by("pk").select_for_update(no_key=True)
        merged = dict(rows.values_list("pk", "merged_into_id"))
        survivors = {pk: merged[pk] or pk for pk in wanted if pk in merged}
        if merged.keys() >= set(survivors.values()):
            transaction.savepoint_commit(before)
            return survivors
        # Somebody was merged while we waited. The locks are given back, for the survivor's comes first.
        transaction.savepoint_rollback(before)
