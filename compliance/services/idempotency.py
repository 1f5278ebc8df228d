"""Answers kept for writes that may be repeated (draft-ietf-httpapi-idempotency-key-header)."""

import hashlib
from datetime import datetime, timedelta

from django.db import connection

from compliance.models import IdempotencyRecord

KEEP = timedelta(hours=48)
PURGE_BATCH = 100


class KeyReusedError(Exception):
    """The key was used before, for another request."""


def earlier_answer(*, client: str, key: str, request_sha256: str, now: datetime) -> IdempotencyRecord | None:
    """The answer that this request got before, at most `KEEP` ago. Raises `KeyReusedError` for another request.

    Runs in the caller's transaction, and makes a second request with the same key wait for its end.
    """
    lock = hashlib.sha256(f"{client}\0{key}".encode()).digest()[:8]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(lock, signed=True)])
    found = IdempotencyRecord.objects.filter(client=client, key=key).first()
    if found is None:
        return None
    if found.created_at <= now - KEEP:
        found.delete()
        return None
    if found.request_sha256 != request_sha256:
        raise KeyReusedError(key)
    return found


def remember(*, client: str, key: str, request_sha256: str, status: int, body: bytes, now: datetime) -> None:
    """Keep an answer, in the transaction of the write it tells of; some that are too old make room."""
    IdempotencyRecord.objects.create(
        client=client, key=key, request_sha256=request_sha256, status=status, body=body, created_at=now
    )
    old = IdempotencyRecord.objects.filter(created_at__lte=now - KEEP).order_by("created_at")
    # Rows that another request is removing are left to it.
    ids = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:PURGE_BATCH])
    IdempotencyRecord.objects.filter(pk__in=ids).delete()
