"""The audit log: what is written, sealed and found when somebody tampers with it."""

import json
from collections.abc import Callable
from datetime import datetime
from io import StringIO

import pgtrigger
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import connection

from compliance import keys, merkle
from compliance.checkpoint_note import CheckpointBody, NoteError, note_digest, sign, verify
from compliance.models import AuditLeaf, Checkpoint, SealedLeaf
from compliance.selectors import audit as selectors
from compliance.services import audit

pytestmark = pytest.mark.django_db


@pytest.fixture
def write(now: datetime) -> Callable[[int], None]:
    def some(count: int) -> None:
        entries = [audit.Entry("thing.done", "user:a", "thing", str(n), {"n": n, "名": "值"}) for n in range(count)]
        audit.append_many(entries=entries, now=now)

    return some


def test_a_leaf_is_canonical_json_and_hashed_by_the_database(now: datetime) -> None:
    audit.append(action="a.b", actor="user:x", object_type="t", object_id=7, details={"z": 1, "a": [None]}, now=now)
    leaf = AuditLeaf.objects.get()
    assert json.loads(bytes(leaf.data)) == {
        "v": 1, "at": now.isoformat(), "actor": "user:x", "action": "a.b", "object": {"type": "t", "id": "7"},
        "details": {"z": 1, "a": [None]},
    }  # fmt: skip
    assert bytes(leaf.data).startswith(b'{"action":"a.b","actor":"user:x","at":')
    assert bytes(leaf.leaf_hash) == merkle.leaf_hash(bytes(leaf.data))


def test_sealing_goes_on_from_the_last_checkpoint(write: Callable[[int], None], now: datetime) -> None:
    assert audit.seal(now=now) is None
    for count in (3, 1, 9):
        write(count)
        assert audit.seal(now=now) is not None
    assert audit.seal(now=now) is None
    assert list(Checkpoint.objects.order_by("id").values_list("tree_size", flat=True)) == [3, 4, 13]
    assert list(SealedLeaf.objects.order_by("index").values_list("index", flat=True)) == list(range(13))
    report = selectors.verify()
    assert (report.ok, report.leaves, report.sealed, report.checkpoints) == (True, 13, 13, 3)


def test_leaves_waiting_for_a_checkpoint_are_counted(write: Callable[[int], None], now: datetime) -> None:
    write(2)
    audit.seal(now=now)
    write(1)
    assert selectors.verify().unsealed == 1


TAMPERING = {
    "edit": "UPDATE compliance_auditleaf SET data = data || ' ' WHERE object_id = '2'",
    "delete": "DELETE FROM compliance_sealedleaf WHERE index = 2",
    "delete the last": "DELETE FROM compliance_sealedleaf WHERE index = 5",
    "swap": (
        "UPDATE compliance_sealedleaf SET index = 100 WHERE index = 1;"
        "UPDATE compliance_sealedleaf SET index = 1 WHERE index = 2;"
        "UPDATE compliance_sealedleaf SET index = 2 WHERE index = 100"
    ),
    "checkpoint root": "UPDATE compliance_checkpoint SET root_hash = sha256('x') WHERE tree_size = 3",
    "checkpoint text": "UPDATE compliance_checkpoint SET note = replace(note, E'\\n3\\n', E'\\n2\\n')",
    "checkpoint peaks": "UPDATE compliance_checkpoint SET peaks = sha256('x') || sha256('y') WHERE tree_size = 6",
    "checkpoint removed": "DELETE FROM compliance_checkpoint WHERE tree_size = 3",
    "insert": (
        "INSERT INTO compliance_sealedleaf (index, leaf_id) "
        "SELECT 6, id FROM compliance_auditleaf ORDER BY id DESC LIMIT 1"
    ),
}


@pytest.mark.parametrize("way", TAMPERING)
def test_tampering_by_the_owner_of_the_database_is_found(write: Callable[[int], None], now: datetime, way: str) -> None:
    for _ in range(2):
        write(3)
        audit.seal(now=now)
    write(1)
    assert selectors.verify().ok
    with pgtrigger.ignore(), connection.cursor() as cursor:
        cursor.execute(TAMPERING[way])
    report = selectors.verify()
    assert not report.ok
    assert report.first_problem.startswith(("leaf", "checkpoint"))


def test_the_command_says_what_is_wrong_and_fails(write: Callable[[int], None], now: datetime) -> None:
    write(2)
    out = StringIO()
    call_command("audit", "seal", stdout=out)
    call_command("audit", "verify", stdout=out)
    assert "the audit log is whole" in out.getvalue()
    with pgtrigger.ignore():
        AuditLeaf.objects.filter(object_id="1").update(data=b"{}")
    with pytest.raises(CommandError, match="give another root"):
        call_command("audit", "verify", stdout=out)


def test_a_note_is_refused_when_changed_or_signed_by_another() -> None:
    key = keys.audit_key()
    body = CheckpointBody(origin="example.com/audit", size=5, root=bytes(32), previous=note_digest("before"))
    note = sign(body, key)
    assert verify(note, key.public_key()) == body
    for broken in (note.replace("\n5\n", "\n6\n"), note.split("\n\n")[0], note.replace("previous", "earlier"), ""):
        with pytest.raises(NoteError):
            verify(broken, key.public_key())
    with pytest.raises(NoteError, match="another key"):
        verify(note, Ed25519PrivateKey.generate().public_key())
