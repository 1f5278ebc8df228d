"""The evidence kit: written by the service, checked by its own verify.py in another process, and attacked."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from compliance import keys
from compliance.kit import verify
from compliance.models import AuditLeaf, ConsentRecord
from compliance.services import audit, consent, evidence, exports, notices
from tests.factories.compliance import PurposeFactory, SubjectFactory

pytestmark = pytest.mark.django_db(transaction=True)

ACTOR = "test"


def write_history(now: datetime, days: int = 6) -> None:
    """A notice, a consent a day, other acts between; sealed every second day."""
    purpose = PurposeFactory()
    notice = notices.publish(
        purpose=purpose, version=1, language="zh-Hans", text="我们想写信给您。", actor=ACTOR, now=now
    )
    for day in range(days):
        at = now + timedelta(days=day)
        decision = consent.Decision(
            subject_id=SubjectFactory().pk, purpose_id=purpose.pk, channel="email", action="given", method="form",
            notice_id=notice.pk, source="=HYPERLINK(1)" if day == 1 else "form\nof the shop", occurred_at=at,
            evidence={"ip": "192.0.2.1", "day": day},
        )  # fmt: skip
        consent.record(decision=decision, actor=ACTOR, now=at)
        audit.append(
            action="test.act", actor=ACTOR, object_type="test", object_id=day, details={"text": "“引”"}, now=at
        )
        if day % 2:
            audit.seal(now=at)


def act(number: int, at: datetime) -> None:
    details = {"text": "“引”"}
    audit.append(action="test.act", actor=ACTOR, object_type="test", object_id=number, details=details, now=at)


def export(out: Path, now: datetime, **options: object) -> Path:
    arguments = {"start": None, "end": None, "actor": ACTOR, "now": now + timedelta(days=30), **options}
    evidence.export_evidence(out=out, **arguments)  # type: ignore[arg-type]
    return out


def run(kit: Path, *arguments: str) -> tuple[int, str]:
    """verify.py of the kit, as an auditor runs it: without any package."""
    command = [sys.executable, "-I", "-S", str(kit / "verify.py"), str(kit), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


@pytest.fixture
def kit(tmp_path: Path, now: datetime) -> Path:
    write_history(now)
    return export(tmp_path / "kit", now)


def resign(kit: Path) -> None:
    """What an attacker who has the signing key can do after a change of files; the tree is another matter."""
    manifest = json.loads((kit / exports.MANIFEST).read_text())
    for name in (exports.MANIFEST, "manifest.sig"):
        (kit / name).unlink()
    exports.write_manifest(kit, {name: value for name, value in manifest.items() if name != "files"})
    signature = keys.audit_key().sign((kit / exports.MANIFEST).read_bytes())
    (kit / "manifest.sig").write_text(evidence._b64(signature))


def lines(kit: Path, name: str) -> list[str]:
    return (kit / name).read_text().splitlines()


def rewrite(kit: Path, name: str, change: Callable[[list[str]], list[str]]) -> None:
    (kit / name).write_text("".join(line + "\n" for line in change(lines(kit, name))))


def test_a_kit_is_found_genuine_without_any_package(kit: Path) -> None:
    status, output = run(kit)
    assert status == 0, output
    leaves = AuditLeaf.objects.filter(sealed__isnull=False).count()
    assert output == f"GENUINE  {leaves} leaves, 3 checkpoints, 6 consents, {min(leaves, 50)} sample\n"
    assert AuditLeaf.objects.get(action="evidence.exported").object_type == "export"


def test_repeating_a_kit_gives_the_same_bytes(tmp_path: Path, now: datetime) -> None:
    write_history(now)
    end = now + timedelta(days=3)
    first = export(tmp_path / "a", now, end=end)
    audit.append(
        action="test.later", actor=ACTOR, object_type="test", object_id=9, details={}, now=now + timedelta(days=20)
    )
    second = export(tmp_path / "b", now + timedelta(days=1), end=end)
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }
    assert run(second)[0] == 0


def test_a_kit_of_a_later_range_starts_inside_the_tree(tmp_path: Path, now: datetime) -> None:
    write_history(now)
    kit = export(tmp_path / "kit", now, start=now + timedelta(days=4), end=now + timedelta(days=6))
    assert json.loads((kit / "start.json").read_text())["size"] > 0
    status, output = run(kit)
    assert (status, output.split("  ")[0]) == (0, "GENUINE")
    assert len(lines(kit, "consents.jsonl")) == 2


def test_the_log_continues_an_earlier_kit(tmp_path: Path, now: datetime) -> None:
    write_history(now)
    earlier = export(tmp_path / "earlier", now, end=now + timedelta(days=2))
    later = export(tmp_path / "later", now + timedelta(days=1))
    assert run(later, "--known", str(earlier))[0] == 0
    status, output = run(earlier, "--known", str(later))
    assert status == 1
    assert "ends at leaf" in output  # a log put back to a backup, seen by somebody who saw more


EDITS: dict[str, tuple[str, Callable[[list[str]], list[str]], str]] = {
    "leaf edited": ("leaves.jsonl", lambda all_: [all_[0].replace("notice", "n0tice"), *all_[1:]], "leaves.jsonl"),
    "leaf deleted": ("leaves.jsonl", lambda all_: all_[:3] + all_[4:], "leaves.jsonl"),
    "leaf inserted": ("leaves.jsonl", lambda all_: [*all_[:3], all_[2], *all_[3:]], "leaves.jsonl"),
    "leaves reordered": ("leaves.jsonl", lambda all_: [all_[1], all_[0], *all_[2:]], "leaves.jsonl"),
    "leaves truncated": ("leaves.jsonl", lambda all_: all_[:-1], "ends at leaf"),
    "leaf appended": ("leaves.jsonl", lambda all_: [*all_, all_[-1]], "leaves.jsonl"),
    "consent edited": ("consents.jsonl", lambda all_: [all_[0].replace("form", "f0rm"), *all_[1:]], "line 1"),
    "consent deleted": ("consents.jsonl", lambda all_: all_[:-1], "consents"),
    "consent twice": ("consents.jsonl", lambda all_: [*all_, all_[0]], "twice"),
    "table edited": ("consents.csv", lambda all_: [*all_[:-1], all_[-1].replace("192.0", "198.0")], "consents.csv"),
    "notice reworded": ("notices.jsonl", lambda all_: [all_[0].replace("写信", "打电话")], "notices.jsonl, line 1"),
    "notice deleted": ("notices.jsonl", lambda all_: [], "notice"),
    "checkpoint deleted": ("checkpoints.jsonl", lambda all_: [all_[0], *all_[2:]], "does not follow"),
    "checkpoint edited": ("checkpoints.jsonl", lambda all_: [*all_[:-1], all_[-1].replace("\\n13\\n", "\\n12\\n")], ""),
    "checkpoints truncated": ("checkpoints.jsonl", lambda all_: all_[:-1], "no checkpoint covers"),
}  # fmt: skip


@pytest.mark.parametrize("attack", EDITS)
def test_whatever_is_changed_in_a_kit_is_found(kit: Path, attack: str) -> None:
    name, change, named = EDITS[attack]
    before = (kit / name).read_text()
    rewrite(kit, name, change)
    assert (kit / name).read_text() != before
    status, output = run(kit)
    assert status == 1
    assert output.startswith(f"NOT GENUINE  {name}: is not the file")
    resign(kit)  # even by somebody who has the key and signs the manifest anew
    status, output = run(kit)
    assert status == 1
    assert named in output


def test_a_file_more_or_less_is_found(kit: Path) -> None:
    (kit / "more.txt").write_text("")
    assert "more.txt: does not belong" in run(kit)[1]
    (kit / "more.txt").unlink()
    (kit / "sample.json").unlink()
    assert "sample.json: is missing" in run(kit)[1]


def test_a_sample_of_somebodys_choice_is_found(kit: Path) -> None:
    sample = json.loads((kit / "sample.json").read_text())
    sample["leaves"] = sample["leaves"][1:]
    (kit / "sample.json").write_text(json.dumps(sample))
    resign(kit)
    assert "was not drawn" in run(kit)[1]


def test_a_path_that_leads_elsewhere_is_found(kit: Path) -> None:
    sample = json.loads((kit / "sample.json").read_text())
    sample["leaves"][0]["path"][0] = "00" * 32
    (kit / "sample.json").write_text(json.dumps(sample))
    resign(kit)
    assert "does not lead to the root" in run(kit)[1]


def test_a_forked_log_is_found_with_the_kit_of_before(tmp_path: Path, kit: Path, now: datetime, db: None) -> None:
    """Another history of the same length, signed with the right key: only what was kept outside tells."""
    kept = tmp_path / "kept"
    shutil.copytree(kit, kept)
    forked = lines(kit, "leaves.jsonl")
    forked[0] = forked[0].replace("test", "tset")
    rebuild(kit, forked)
    assert run(kit)[0] == 0  # whole in itself
    status, output = run(kit, "--known", str(kept))
    assert status == 1
    assert "the known checkpoint" in output
    witness = tmp_path / "witness.txt"
    witness.write_text(json.loads(lines(kept, "checkpoints.jsonl")[-1]))
    assert run(kit, "--known", str(witness))[0] == 1
    assert run(kept, "--known", str(witness))[0] == 0


def rebuild(kit: Path, leaves: list[str]) -> None:
    """Write a new tree, with one checkpoint, over these leaves."""
    from compliance import checkpoint_note, merkle

    (kit / "leaves.jsonl").write_text("\n".join(leaves) + "\n")
    hashes = [merkle.leaf_hash(leaf.encode()) for leaf in leaves]
    name = json.loads((kit / "keys.json").read_text())["name"]
    body = checkpoint_note.CheckpointBody(name, len(hashes), merkle.root_hash(hashes), b"")
    (kit / "checkpoints.jsonl").write_text(json.dumps(checkpoint_note.sign(body, keys.audit_key())) + "\n")
    sample = json.loads((kit / "sample.json").read_text())
    for leaf in sample["leaves"]:
        leaf["path"] = [node.hex() for node in merkle.inclusion_path(hashes, leaf["index"])]
    (kit / "sample.json").write_text(json.dumps(sample))
    resign(kit)


def test_a_kit_signed_by_another_key_is_found(kit: Path) -> None:
    other = Ed25519PrivateKey.generate()
    (kit / "manifest.sig").write_text(evidence._b64(other.sign((kit / exports.MANIFEST).read_bytes())))
    assert "is not the signature" in run(kit)[1]


@pytest.mark.parametrize("name", ["manifest.json", "keys.json", "checkpoints.jsonl", "leaves.jsonl"])
def test_rubbish_is_named_and_not_a_crash(kit: Path, name: str) -> None:
    (kit / name).write_bytes(b"\xff{")
    status, output = run(kit)
    assert status == 1
    assert output.startswith("NOT GENUINE")


def test_what_happens_while_the_kit_is_written_breaks_nothing(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consent that commits between sealing and reading: the snapshot is taken anew until all is sealed."""
    write_history(now)
    seal, late = audit.seal, [True, True]

    def seal_then_go_on(**arguments: datetime) -> object:
        sealed = seal(**arguments)
        if late:
            late.pop()
            record = ConsentRecord.objects.order_by("pk").last()
            assert record
            consent.withdraw(
                subject_id=record.subject_id, purpose_id=record.purpose_id, channel="email", method="link",
                source="page", actor=ACTOR, now=now,
            )  # fmt: skip
        return sealed

    monkeypatch.setattr(evidence.audit, "seal", seal_then_go_on)
    kit = export(tmp_path / "kit", now)
    status, output = run(kit)
    assert status == 0, output
    assert "8 consents" in output


def test_a_range_that_cannot_be_repeated_or_is_empty_is_refused(tmp_path: Path, now: datetime) -> None:
    write_history(now)
    with pytest.raises(exports.ExportError, match="future"):
        export(tmp_path / "kit", now, end=now + timedelta(days=99))
    with pytest.raises(exports.ExportError, match="no leaf"):
        export(tmp_path / "kit", now, end=now - timedelta(days=99))
    assert not (tmp_path / "kit").exists()


def test_the_command_says_how_to_check(tmp_path: Path, now: datetime, capsys: pytest.CaptureFixture[str]) -> None:
    write_history(now)
    call_command("export_evidence", "--out", str(tmp_path / "kit"), "--sample", "3")
    assert "python3" in capsys.readouterr().out
    assert run(tmp_path / "kit")[1].endswith("3 sample\n")
    with pytest.raises(CommandError, match="--to"):
        call_command("export_evidence", "--out", str(tmp_path / "other"), "--to", "yesterday")


@given(st.binary(max_size=200), st.integers(0, 63), st.integers(1, 255))
def test_signatures_are_checked_as_the_library_does(message: bytes, place: int, flip: int) -> None:
    private = Ed25519PrivateKey.generate()
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert verify.ed25519_verify(public, message, signature)
    assert not verify.ed25519_verify(public, message + b"!", signature)
    broken = bytearray(signature)
    broken[place] ^= flip
    assert not verify.ed25519_verify(public, message, bytes(broken))
