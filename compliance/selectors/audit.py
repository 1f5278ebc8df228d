"""Checking the audit log against itself: every hash, every place in the tree, every signature."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from django.conf import settings
from django.db.models import Subquery
from django.db.models.functions import Coalesce

from compliance import checkpoint_note, keys, merkle
from compliance.models import AuditLeaf, Checkpoint, SealedLeaf

CHUNK = 5_000


@dataclass(frozen=True)
class AuditReport:
    """What was checked, and the first thing that is wrong ('' when nothing is)."""

    leaves: int
    sealed: int
    checkpoints: int
    first_problem: str

    @property
    def ok(self) -> bool:
        return not self.first_problem

    @property
    def unsealed(self) -> int:
        return self.leaves - self.sealed


class _ProblemError(Exception):
    pass


def verify(*, progress: Callable[[int, int], None] | None = None) -> AuditReport:
    """Recompute the whole tree from the leaves' data and compare it with every checkpoint.

    Finds leaves that were edited, removed, inserted or reordered after they were sealed, and checkpoints that were
    changed or are missing from the chain. It trusts this database and key; the evidence kit does not need to.
    """
    sealed, leaves = SealedLeaf.objects.count(), AuditLeaf.objects.count()
    checkpoints = list(Checkpoint.objects.order_by("id"))
    try:
        _check_chain(checkpoints)
        _check_tree(checkpoints, sealed, progress)
    except _ProblemError as problem:
        return AuditReport(leaves, sealed, len(checkpoints), str(problem))
    return AuditReport(leaves, sealed, len(checkpoints), "")


def _check_chain(checkpoints: list[Checkpoint]) -> None:
    key = keys.audit_key().public_key()
    previous = b""
    for checkpoint in checkpoints:
        try:
            body = checkpoint_note.verify(checkpoint.note, key)
        except checkpoint_note.NoteError as error:
            raise _ProblemError(f"checkpoint {checkpoint.pk}: {error}") from None
        if (body.origin, body.size, body.root) != (
            settings.AUDIT_ORIGIN, checkpoint.tree_size, bytes(checkpoint.root_hash),
        ):  # fmt: skip
            raise _ProblemError(f"checkpoint {checkpoint.pk}: its columns differ from its signed text")
        if body.previous != previous:
            raise _ProblemError(f"checkpoint {checkpoint.pk}: does not name the checkpoint before it")
        previous = checkpoint_note.note_digest(checkpoint.note)
    for older, newer in pairwise(checkpoints):
        if newer.tree_size < older.tree_size:
            raise _ProblemError(f"checkpoint {newer.pk}: is smaller than the one before it")


def _check_tree(checkpoints: list[Checkpoint], sealed: int, progress: Callable[[int, int], None] | None) -> None:
    due = iter(checkpoints)
    checkpoint = next(due, None)
    frontier = merkle.Frontier()
    covered = checkpoints[-1].tree_size if checkpoints else 0
    for index, data in _sealed_leaves(covered):
        if index != frontier.size:
            raise _ProblemError(f"leaf {frontier.size}: is missing from the tree")
        frontier.add(merkle.leaf_hash(data))
        while checkpoint is not None and checkpoint.tree_size == frontier.size:
            if bytes(checkpoint.root_hash) != frontier.root():
                raise _ProblemError(f"checkpoint {checkpoint.pk}: the leaves up to {frontier.size} give another root")
            if bytes(checkpoint.peaks) != b"".join(frontier.peaks):
                raise _ProblemError(f"checkpoint {checkpoint.pk}: its right edge of the tree is not that of the leaves")
            checkpoint = next(due, None)
        if progress and frontier.size % CHUNK == 0:
            progress(frontier.size, sealed)
    if checkpoint is not None:
        raise _ProblemError(
            f"leaf {frontier.size}: is missing, checkpoint {checkpoint.pk} covers {checkpoint.tree_size}"
        )
    _check_all_covered()


def _check_all_covered() -> None:
    """One statement, so that a checkpoint made while we verify is seen with its leaves or not at all."""
    newest = Checkpoint.objects.order_by("-id").values("tree_size")[:1]
    beyond = SealedLeaf.objects.filter(index__gte=Coalesce(Subquery(newest), 0)).order_by("index").first()
    if beyond is not None:
        raise _ProblemError(f"leaf {beyond.index}: has a place in the tree that no checkpoint covers")


def _sealed_leaves(covered: int) -> Iterator[tuple[int, bytes]]:
    rows = SealedLeaf.objects.filter(index__lt=covered).order_by("index").values_list("index", "leaf__data")
    return ((index, bytes(data)) for index, data in rows.iterator(chunk_size=CHUNK))
