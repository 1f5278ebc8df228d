"""Writing to the audit log and sealing it. Leaves are written in the transaction of the change they tell of."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import rfc8785
from django.conf import settings
from django.db import connection, transaction

from compliance import checkpoint_note, keys, merkle
from compliance.models import AuditLeaf, Checkpoint, SealedLeaf

LEAF_VERSION = 1
SEAL_LOCK = 0x48454544_01  # pg_advisory_xact_lock: one sealing at a time
BATCH = 5_000


@dataclass(frozen=True)
class Entry:
    """One act: what was done by whom to what. `details` holds JSON values and no personal data."""

    action: str
    actor: str
    object_type: str
    object_id: str
    details: Mapping[str, Any]


def append(
    *, action: str, actor: str, object_type: str, object_id: object, details: Mapping[str, Any], now: datetime
) -> AuditLeaf:
    """Write one leaf in the caller's transaction: when the leaf fails, so does the change it tells of."""
    leaf = _leaf(Entry(action, actor, object_type, str(object_id), details), now)
    leaf.save(force_insert=True)
    return leaf


def append_many(*, entries: Sequence[Entry], now: datetime) -> None:
    """Write many leaves, in their order, in the caller's transaction."""
    AuditLeaf.objects.bulk_create([_leaf(entry, now) for entry in entries], batch_size=BATCH)


def commit_to(value: str) -> dict[str, str]:
    """A salted commitment: shows later that a value was this one, without telling it now."""
    salt = os.urandom(16)
    return {"salt": salt.hex(), "sha256": hashlib.sha256(salt + value.encode()).hexdigest()}


def seal(*, now: datetime) -> Checkpoint | None:
    """Give every committed leaf its place in the tree and sign the new root. Returns None when nothing is new.

    Leaves of transactions still under way come into a later checkpoint; the order is that of sealing, so it is total
    and free of gaps whatever order transactions commit in.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SEAL_LOCK])
        last = Checkpoint.objects.order_by("-id").first()
        size = last.tree_size if last else 0
        added = _place_new_leaves(size)
        if not added:
            return None
        frontier = merkle.Frontier(size, bytes(last.peaks)) if last else merkle.Frontier()
        frontier.extend(_sealed_hashes(since=size))
        body = checkpoint_note.CheckpointBody(
            origin=settings.AUDIT_ORIGIN,
            size=frontier.size,
            root=frontier.root(),
            previous=checkpoint_note.note_digest(last.note) if last else b"",
        )
        note = checkpoint_note.sign(body, keys.audit_key())
        return Checkpoint.objects.create(
            tree_size=body.size,
            root_hash=body.root,
            peaks=b"".join(frontier.peaks),
            note=note,
            created_at=now,
        )


def _sealed_hashes(*, since: int) -> Iterator[bytes]:
    rows = SealedLeaf.objects.filter(index__gte=since).order_by("index").values_list("leaf__leaf_hash", flat=True)
    return (bytes(row) for row in rows.iterator(chunk_size=BATCH))


def _place_new_leaves(size: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO compliance_sealedleaf (index, leaf_id)
            SELECT %s + row_number() OVER (ORDER BY leaf.id) - 1, leaf.id
            FROM compliance_auditleaf leaf
            WHERE NOT EXISTS (SELECT FROM compliance_sealedleaf sealed WHERE sealed.leaf_id = leaf.id)
            """,
            [size],
        )
        added: int = cursor.rowcount
        return added


def _leaf(entry: Entry, now: datetime) -> AuditLeaf:
    data = rfc8785.dumps(
        {
            "v": LEAF_VERSION,
            "at": now.isoformat(),
            "actor": entry.actor,
            "action": entry.action,
            "object": {"type": entry.object_type, "id": entry.object_id},
            "details": dict(entry.details),
        }
    )
    return AuditLeaf(
        data=data,
        action=entry.action,
        actor=entry.actor,
        object_type=entry.object_type,
        object_id=entry.object_id,
        recorded_at=now,
    )
