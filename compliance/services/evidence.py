"""The evidence kit: what an auditor checks offline, trusting neither the database nor who runs it."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max, Min

from compliance import keys, merkle
from compliance.models import AuditLeaf, Checkpoint, SealedLeaf
from compliance.services import audit, exports
from compliance.services.consent_rows import line, written_time
from compliance.services.exports import ExportError

FORMAT = "heed-evidence-1"
SEED, SAMPLE = "heed", 50
CHUNK = 10_000
SEAL_ATTEMPTS = 100
STATIC = ("verify.py", "INDEX.md")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class EvidenceSummary:
    """What was written: how many of each, and the SHA-256 of the manifest, which covers all files."""

    leaves: int
    checkpoints: int
    records: int
    manifest_sha256: str


@dataclass(frozen=True)
class _Span:
    """The leaves of a kit: from checkpoint to checkpoint, so that its first and last roots are signed ones."""

    before: Checkpoint | None
    checkpoints: list[Checkpoint]

    @property
    def start(self) -> int:
        return self.before.tree_size if self.before else 0

    @property
    def end(self) -> int:
        return self.checkpoints[-1].tree_size


def export_evidence(
    *, out: Path, start: datetime | None, end: datetime | None, actor: str, now: datetime, seed: str = SEED,
    sample: int = SAMPLE, progress: Progress | None = None,
) -> EvidenceSummary:  # fmt: skip
    """Write the kit of a range of time into the folder `out`: see compliance/kit/INDEX.md for its files.

    `start` is included, `end` excluded and not later than `now`; what was committed until now is sealed first. The
    leaves are those of the range, widened to whole checkpoints. `sample` leaves are drawn by `seed` and get their
    inclusion paths. For one range, seed and size the bytes are always the same, when the range has an end. The folder
    appears whole or not at all, together with an audit leaf. Raises `ExportError`.
    """
    if end is not None and end > now:
        raise ExportError("the range ends in the future, so that the kit could not be repeated")
    with _sealed_snapshot(now), exports.replaced(out) as draft:
        span = _span(start, end)
        written = exports.write_consents(draft, start=start, end=end)
        _write_lines(draft / "leaves.jsonl", _leaves(span, progress))
        _write_lines(draft / "checkpoints.jsonl", (line(checkpoint.note) for checkpoint in span.checkpoints))
        _write_json(draft / "start.json", _start(span))
        _write_json(draft / "sample.json", _sample(span, seed, sample))
        _write_json(draft / "keys.json", {"name": settings.AUDIT_ORIGIN, "ed25519": _b64(_public_key())})
        for name in STATIC:
            (draft / name).write_bytes(resources.files("compliance.kit").joinpath(name).read_bytes())
        counts = {"leaves": span.end - span.start, "checkpoints": len(span.checkpoints), "records": written.records}
        scope = {"from": written_time(start), "to": written_time(end), "seed": seed, "sample": sample}
        manifest = exports.write_manifest(draft, {"format": FORMAT, **scope, **counts})
        signature = keys.audit_key().sign((draft / exports.MANIFEST).read_bytes())
        (draft / "manifest.sig").write_text(_b64(signature) + "\n")
        audit.append(
            action="evidence.exported", actor=actor, object_type="export", object_id=manifest,
            details={**scope, **counts}, now=now,
        )  # fmt: skip
    return EvidenceSummary(**counts, manifest_sha256=manifest)


@contextmanager
def _sealed_snapshot(now: datetime) -> Iterator[None]:
    """A view of the database that does not move, in which every leaf is sealed: records and leaves fit together."""
    for _ in range(SEAL_ATTEMPTS):
        audit.seal(now=now)
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            if not AuditLeaf.objects.filter(sealed__isnull=True).exists():
                yield
                return
    raise ExportError("the audit log grows too fast to be sealed")


def _span(start: datetime | None, end: datetime | None) -> _Span:
    """The checkpoints around the sealed leaves that were recorded in the range."""
    leaves = SealedLeaf.objects.all()
    if start is not None:
        leaves = leaves.filter(leaf__recorded_at__gte=start)
    if end is not None:
        leaves = leaves.filter(leaf__recorded_at__lt=end)
    found = leaves.aggregate(first=Min("index"), last=Max("index"))
    if found["first"] is None:
        raise ExportError("the audit log has no leaf in this range")
    checkpoints = Checkpoint.objects.order_by("id")
    covering = checkpoints.filter(tree_size__gt=found["last"]).first()
    before = checkpoints.filter(tree_size__lte=found["first"]).last()
    if covering is None:
        raise ExportError("the audit log has sealed leaves that no checkpoint covers; run manage.py audit verify")
    kept = checkpoints.filter(id__lte=covering.pk)
    return _Span(before, list(kept.filter(id__gte=before.pk) if before else kept))


def _leaves(span: _Span, progress: Progress | None) -> Iterator[str]:
    """The leaves as they were hashed: canonical JSON has no line breaks, so each is a line."""
    rows = SealedLeaf.objects.filter(index__gte=span.start, index__lt=span.end).order_by("index")
    total = span.end - span.start
    data = rows.values_list("leaf__data", flat=True).iterator(chunk_size=CHUNK)
    for count, leaf in enumerate(data, start=1):
        yield bytes(leaf).decode()
        if progress and (count % CHUNK == 0 or count == total):
            progress(count, total)


def _start(span: _Span) -> dict[str, Any]:
    peaks = merkle.Frontier(span.start, bytes(span.before.peaks)).peaks if span.before else []
    return {"size": span.start, "peaks": [peak.hex() for peak in peaks]}


def _sample(span: _Span, seed: str, count: int) -> dict[str, Any]:
    """The leaves whose SHA-256 of "seed:index" is smallest: nobody can choose them, everybody can draw them again."""
    ranked = sorted(range(span.start, span.end), key=lambda index: hashlib.sha256(f"{seed}:{index}".encode()).digest())
    rows = SealedLeaf.objects.filter(index__lt=span.end).order_by("index").values_list("leaf__leaf_hash", flat=True)
    paths = merkle.inclusion_paths((bytes(row) for row in rows.iterator(chunk_size=CHUNK)), sorted(ranked[:count]))
    drawn = [{"index": index, "path": [node.hex() for node in path]} for index, path in paths.items()]
    return {"seed": seed, "count": count, "leaves": drawn}


def _public_key() -> bytes:
    return keys.audit_key().public_key().public_bytes_raw()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _write_lines(path: Path, lines: Iterator[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(text + "\n" for text in lines)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
