"""What people ask for about their own data: received, identity checked, fulfilled or refused, within the deadline."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from compliance import holdings
from compliance.models import RequestKind, RequestState, Subject, SubjectRequest
from compliance.selectors.people import whole_person
from compliance.services import audit, subjects

DEADLINE = timedelta(days=30)
"""GDPR 12(3) gives one month; GB/T 35273-2020, 8.7, thirty days for what PIPL 50 wants done in time."""
WARN_BEFORE = timedelta(days=7)
EPOCH = (1980, 1, 1, 0, 0, 0)  # one time in every archive, so that the same data are the same bytes


class SubjectRequestError(Exception):
    """The step is not possible now; the message says why."""


def receive(*, subject: Subject, kind: str, source: str, actor: str, now: datetime) -> SubjectRequest:
    """Take in a request; its deadline runs from now. Raises `ValidationError` by field."""
    request = SubjectRequest(
        subject=subject, kind=kind, source=source.strip(), received_at=now, due_at=now + DEADLINE
    )  # fmt: skip
    request.full_clean()
    with transaction.atomic():
        request.save()
        _leaf(request, "received", actor, now, kind=kind)
    return request


def confirm_identity(*, request: SubjectRequest, how: str, actor: str, now: datetime) -> SubjectRequest:
    """Note that whoever asks is the person, and how that was found out. Raises `SubjectRequestError`."""
    if not how.strip():
        raise SubjectRequestError("say how the identity was checked")
    with transaction.atomic():
        locked = _open(request)
        if locked.identity_checked_at is None:
            locked.identity_checked_at, locked.identity_checked_by = now, actor
            locked.save(update_fields=["identity_checked_at", "identity_checked_by"])
            _leaf(locked, "identity_checked", actor, now, how=how.strip())
    return locked


def package(*, request: SubjectRequest, actor: str, now: datetime) -> bytes:
    """Everything held about the person, as a ZIP of JSON and CSV files, one of each for every kind of data.

    Whoever was merged into them is the same person. May be asked for again until the request is closed. Raises
    `SubjectRequestError`.
    """
    with transaction.atomic():
        locked = _checked(request, RequestKind.ACCESS)
        people = whole_person(locked.subject_id)
        data = _archive({one.name: chain.from_iterable(map(one.collect, people)) for one in holdings.all_holdings()})
        _leaf(locked, "packaged", actor, now, sha256=hashlib.sha256(data).hexdigest())
    return data


def erase(*, request: SubjectRequest, actor: str, now: datetime) -> dict[str, int]:
    """Erase the person and close the request; returns how many rows went, by kind of data.

    The subject's key is destroyed, so that nothing encrypted under it can be read again. Consent records, suppressions
    and audit leaves stay: they are the proof of what was lawful, and name nobody. Whoever was merged into the person is
    erased with them. Raises `SubjectRequestError`.
    """
    with transaction.atomic():
        locked = _checked(request, RequestKind.ERASURE)
        subjects.lock([locked.subject_id])
        people = whole_person(locked.subject_id)
        erased = {one.name: sum(one.erase(pk, now) for pk in people) for one in reversed(holdings.all_holdings())}
        Subject.objects.filter(pk__in=people, erased_at__isnull=True).update(wrapped_key=None, erased_at=now)
        _leaf(locked, "erased", actor, now, rows=erased)
        _close(locked, RequestState.FULFILLED, "", actor, now)
    return erased


def fulfil(*, request: SubjectRequest, answer: str, actor: str, now: datetime) -> SubjectRequest:
    """Close a request for access or correction as done. Raises `SubjectRequestError`."""
    with transaction.atomic():
        locked = _checked(request, RequestKind.ACCESS, RequestKind.CORRECTION)
        _close(locked, RequestState.FULFILLED, answer, actor, now)
    return locked


def refuse(*, request: SubjectRequest, answer: str, actor: str, now: datetime) -> SubjectRequest:
    """Close a request without doing what it asks, for a reason the person is told. Raises `SubjectRequestError`."""
    if not answer.strip():
        raise SubjectRequestError("a refusal needs its reason (GDPR 12(4), PIPL 50)")
    with transaction.atomic():
        locked = _open(request)
        _close(locked, RequestState.REFUSED, answer, actor, now)
    return locked


def due_soon(*, now: datetime) -> QuerySet[SubjectRequest]:
    """Open requests with a week or less left."""
    return SubjectRequest.objects.filter(state=RequestState.OPEN, due_at__lte=now + WARN_BEFORE).order_by("due_at")


def _open(request: SubjectRequest) -> SubjectRequest:
    locked = SubjectRequest.objects.select_for_update().get(pk=request.pk)
    if locked.state != RequestState.OPEN:
        raise SubjectRequestError("the request is closed")
    return locked


def _checked(request: SubjectRequest, *kinds: RequestKind) -> SubjectRequest:
    locked = _open(request)
    if locked.kind not in kinds:
        raise SubjectRequestError("the request asks for something else")
    if locked.identity_checked_at is None:
        raise SubjectRequestError("check the identity first (GDPR 12(6))")
    return locked


def _close(request: SubjectRequest, state: RequestState, answer: str, actor: str, now: datetime) -> None:
    request.state, request.answer = state, answer.strip()
    request.closed_at, request.closed_by = now, actor
    request.save(update_fields=["state", "answer", "closed_at", "closed_by"])
    _leaf(request, state.value, actor, now, days=(now - request.received_at).days, late=now > request.due_at)


def _leaf(request: SubjectRequest, step: str, actor: str, now: datetime, **details: Any) -> None:
    audit.append(
        action=f"request.{step}", actor=actor, object_type="request", object_id=str(request.uid),
        details={"subject": request.subject_id, **details}, now=now,
    )  # fmt: skip


def _archive(data: dict[str, Iterable[holdings.Row]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, rows in data.items():
            listed = [dict(row) for row in rows]
            _add(archive, f"{name}.json", json.dumps(listed, ensure_ascii=False, indent=1, default=str))
            _add(archive, f"{name}.csv", _table(listed))
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, text: str) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, text)


def _table(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)))
    writer.writeheader()
    for row in rows:
        writer.writerow({name: json.dumps(v, ensure_ascii=False) if isinstance(v, dict | list) else v
                         for name, v in row.items()})  # fmt: skip
    return text.getvalue()
