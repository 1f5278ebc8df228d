#!/usr/bin/env python3
"""Checks an evidence kit of Heed: python3 verify.py DIR [--known KIT_OR_CHECKPOINT]

Needs Python 3.9 or later and nothing else; trusts neither the database nor who runs it. It ends with 0, or with 1 and
the first thing that is wrong. --known names an earlier kit, or a file with a checkpoint that a witness kept: the log
must continue it, which shows truncation, a fork and a database put back to a backup.

What is checked, in this order:
 1. every file is there, no other is, and each has the SHA-256 that manifest.json states; the manifest is signed;
 2. the checkpoints name each other without a gap, and the first and last are signed by the key in keys.json;
 3. the leaves in leaves.jsonl, added to the tree of start.json, give the root of every checkpoint (RFC 9162);
 4. each consent record has a leaf with its SHA-256 and each such leaf its record; the table says what the lines say;
 5. each notice has the SHA-256 that consent records and leaves name;
 6. the sample was drawn as stated, and each leaf of it is proven to be in the tree by its path.
"""

import base64
import csv
import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
CONSENTS, TABLE, NOTICES = "consents.jsonl", "consents.csv", "notices.jsonl"
LEAVES, CHECKPOINTS, KEYS, START, SAMPLE = "leaves.jsonl", "checkpoints.jsonl", "keys.json", "start.json", "sample.json"


class EvidenceError(Exception):
    """What is wrong, named."""


# --- Ed25519 (RFC 8032, section 5.1): verification only, so nothing here is secret and plain integers do

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this is the signature of the message under the 32 byte public key."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, commitment = _point(public), _point(signature[:32])
    scalar = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= ORDER:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    left, right = _times(scalar, BASE), _add(commitment, _times(challenge, key))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def _point(encoded):
    """The point in extended coordinates (x, y, z, xy), or None when the bytes are none (section 5.1.3)."""
    number = int.from_bytes(encoded, "little")
    y, odd = number & (2**255 - 1), number >> 255
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * ROOT_OF_MINUS_ONE % P
    if x * x % P != square or (x == 0 and odd):
        return None
    if x % 2 != odd:
        x = P - x
    return x, y, 1, x * y % P


def _add(a, b):
    """The sum of two points (section 5.1.4)."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    across, down, up, along = f - e, h - g, h + g, f + e
    return across * down % P, up * along % P, down * up % P, across * along % P


def _times(scalar, point):
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total


BASE = _point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


# --- The tree (RFC 9162, section 2.1)


class Tree:
    """The right edge of a growing Merkle tree: the roots of its full subtrees, one for each 1 in `size`."""

    def __init__(self, size, peaks):
        if len(peaks) != bin(size).count("1"):
            raise EvidenceError(START + ": is not the right edge of a tree of that size")
        self.size, self.peaks = size, list(peaks)

    def add(self, leaf):
        """Append a leaf hash."""
        self.peaks.append(leaf)
        self.size = size = self.size + 1
        while not size & 1:
            right = self.peaks.pop()
            self.peaks[-1] = hashlib.sha256(b"\x01" + self.peaks[-1] + right).digest()
            size >>= 1

    def root(self):
        if not self.peaks:
            return hashlib.sha256().digest()
        root = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            root = hashlib.sha256(b"\x01" + peak + root).digest()
        return root


def root_of_path(index, size, leaf, path):
    """The root that an inclusion path leads to (section 2.1.3.2), or None when it has the wrong length."""
    place, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        place, last = place >> 1, last >> 1
    return node if last == 0 else None


# --- The kit


def check_files(kit):
    """1. The manifest covers every file, and is signed."""
    manifest = read_json(kit, MANIFEST)
    expected = set(manifest["files"]) | {MANIFEST, SIGNATURE}
    found = {path.name for path in kit.iterdir()}
    for name in sorted(expected - found):
        raise EvidenceError(f"{name}: is missing")
    for name in sorted(found - expected):
        raise EvidenceError(f"{name}: does not belong to the kit")
    for name, wanted in sorted(manifest["files"].items()):
        with (kit / name).open("rb") as file:
            digest = hashlib.sha256()
            for part in iter(lambda: file.read(1 << 20), b""):
                digest.update(part)
        if digest.hexdigest() != wanted:
            raise EvidenceError(f"{name}: is not the file that {MANIFEST} describes")
    name, public = key_of(kit)
    if not ed25519_verify(public, (kit / MANIFEST).read_bytes(), decoded(SIGNATURE, (kit / SIGNATURE).read_text())):
        raise EvidenceError(f"{SIGNATURE}: is not the signature of {MANIFEST} by {name}")
    return manifest


def check_checkpoints(kit):
    """2. Returns (size, root, note) of each, oldest first."""
    name, public = key_of(kit)
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    notes = [json.loads(line) for line in lines_of(kit, CHECKPOINTS)]
    if not notes:
        raise EvidenceError(f"{CHECKPOINTS}: has no checkpoint")
    checkpoints: list = []
    before = None
    for number, note in enumerate(notes, start=1):
        here = f"{CHECKPOINTS}, line {number}"
        origin, size, root, previous, signature = parse_note(here, note)
        if origin != name or signature[:4] != key_id:
            raise EvidenceError(f"{here}: is of another log or key")
        if before is not None and previous != hashlib.sha256(before.encode()).digest():
            raise EvidenceError(f"{here}: does not follow the checkpoint before it")
        if checkpoints and size < checkpoints[-1][0]:
            raise EvidenceError(f"{here}: the log has become smaller")
        # Each names the one before it by its hash, so the last signature covers all of them.
        if number in (1, len(notes)) and not ed25519_verify(
            public, note.partition("\n\n")[0].encode() + b"\n", signature[4:]
        ):
            raise EvidenceError(f"{here}: the signature is wrong")
        checkpoints.append((size, root, note))
        before = note
    return checkpoints


def parse_note(here, note):
    """Origin, size, root, digest of the previous note and signature of a C2SP checkpoint."""
    body, separator, tail = note.partition("\n\n")
    lines, words = body.split("\n"), tail.rstrip("\n").split(" ")
    if not separator or len(lines) not in (3, 4) or len(words) != 3 or not lines[1].isdigit():
        raise EvidenceError(f"{here}: is no checkpoint")
    previous = decoded(here, lines[3][len("previous ") :]) if len(lines) == 4 else b""
    return lines[0], int(lines[1]), decoded(here, lines[2]), previous, decoded(here, words[2])


def check_leaves(kit, checkpoints, known):
    """3. Returns the start, the hashes of the leaves, and what leaves say of consents and notices."""
    start = read_json(kit, START)
    tree = Tree(start["size"], [bytes.fromhex(peak) for peak in start["peaks"]])
    due = iter(sorted([(size, root, "a checkpoint") for size, root, _ in checkpoints] + known))
    wanted = next(due, None)
    hashes: list = []
    consents: dict = {}
    notices: set = set()
    while wanted and wanted[0] <= tree.size:
        wanted = compared(tree, wanted, due)
    with (kit / LEAVES).open("rb") as file:
        for line in file:
            data = line.rstrip(b"\n")
            leaf = hashlib.sha256(b"\x00" + data).digest()
            hashes.append(leaf)
            tree.add(leaf)
            if b'"type":"consent"' in data or b'"type":"notice"' in data:
                remember(json.loads(data), consents, notices)
            while wanted and wanted[0] == tree.size:
                wanted = compared(tree, wanted, due)
    if wanted:
        raise EvidenceError(f"{LEAVES}: ends at leaf {tree.size}, {wanted[2]} covers {wanted[0]}")
    if tree.size != checkpoints[-1][0]:
        raise EvidenceError(f"{LEAVES}: has leaves that no checkpoint covers, from {checkpoints[-1][0]}")
    return start["size"], hashes, consents, notices


def compared(tree, wanted, due):
    size, root, whose = wanted
    if size < tree.size:
        raise EvidenceError(f"{whose} of {size} leaves lies before this kit, which starts at {tree.size}")
    if tree.root() != root:
        raise EvidenceError(
            f"{LEAVES}: the leaves up to {size} do not give the root of {whose}: one was changed, left out, "
            "added or moved, or the log was forked"
        )
    return next(due, None)


def remember(leaf, consents, notices):
    kind, details = leaf["object"]["type"], leaf["details"]
    if kind == "consent" and "record_sha256" in details:
        consents[leaf["object"]["id"]] = (leaf["at"], details["record_sha256"])
    if kind == "notice" and leaf["action"] == "notice.published":
        notices.add((details["purpose"], details["version"], details["language"], details["sha256"]))


def check_consents(kit, manifest, proven, published):
    """4 and 5. Records against leaves, the table against the lines, notices against both."""
    notices = check_notices(kit, published)
    seen = set()
    with (kit / TABLE).open(newline="", encoding="utf-8") as file:
        table = csv.DictReader(file)
        for number, line in enumerate(lines_of(kit, CONSENTS), start=1):
            here = f"{CONSENTS}, line {number}"
            row = json.loads(line)
            leaf = proven.get(row["uid"])
            if leaf is None:
                raise EvidenceError(f"{here}: no leaf tells of the record {row['uid']}")
            if leaf[1] != hashlib.sha256(line.encode()).hexdigest():
                raise EvidenceError(f"{here}: the record {row['uid']} is not what its leaf tells")
            if row["uid"] in seen:
                raise EvidenceError(f"{here}: the record {row['uid']} stands here twice")
            seen.add(row["uid"])
            notice = row["notice"]
            if notice and (row["purpose"], notice["version"], notice["language"], notice["sha256"]) not in notices:
                raise EvidenceError(f"{here}: the notice that was shown is not in {NOTICES}")
            if next(table, None) != {name: cell(value) for name, value in row.items()}:
                raise EvidenceError(f"{TABLE}, record {number}: is not what {CONSENTS} says")
        if next(table, None) is not None:
            raise EvidenceError(f"{TABLE}: has more records than {CONSENTS}")
    for uid, (at, _) in proven.items():
        if in_range(at, manifest) and uid not in seen:
            raise EvidenceError(f"{CONSENTS}: the record {uid} of {at} is missing")
    return len(seen)


def check_notices(kit, published):
    notices = set()
    for number, line in enumerate(lines_of(kit, NOTICES), start=1):
        row = json.loads(line)
        if hashlib.sha256(row["text"].encode()).hexdigest() != row["sha256"]:
            raise EvidenceError(f"{NOTICES}, line {number}: the text does not have the SHA-256 that is stated")
        notices.add((row["purpose"], row["version"], row["language"], row["sha256"]))
    for purpose, version, language, sha256 in sorted(published - notices):
        raise EvidenceError(f"{NOTICES}: version {version} ({language}) for {purpose}, SHA-256 {sha256}, is missing")
    return notices


def check_sample(kit, start, hashes, size, root):
    """6. Indices whose SHA-256 of "seed:index" is smallest, each with its path."""
    sample = read_json(kit, SAMPLE)
    indices = range(start, start + len(hashes))
    ranked = sorted(indices, key=lambda index: hashlib.sha256(f"{sample['seed']}:{index}".encode()).digest())
    drawn = sorted(ranked[: sample["count"]])
    if [leaf["index"] for leaf in sample["leaves"]] != drawn:
        raise EvidenceError(f"{SAMPLE}: was not drawn with the seed {sample['seed']!r}")
    for leaf in sample["leaves"]:
        path = [bytes.fromhex(node) for node in leaf["path"]]
        if root_of_path(leaf["index"], size, hashes[leaf["index"] - start], path) != root:
            raise EvidenceError(f"{SAMPLE}: the path of leaf {leaf['index']} does not lead to the root")
    return len(drawn)


def known_checkpoints(path):
    """What somebody else kept: the last checkpoint of an earlier kit, or one checkpoint as text."""
    if path is None:
        return []
    if path.is_dir():
        note = json.loads(lines_of(path, CHECKPOINTS)[-1])
    else:
        note = path.read_text(encoding="utf-8")
    _, size, root, _, _ = parse_note(str(path), note)
    return [(size, root, f"the known checkpoint in {path}")]


# --- Reading


def read_json(kit, name):
    return json.loads((kit / name).read_text(encoding="utf-8"))


def lines_of(kit, name):
    with (kit / name).open(encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\n") for line in file]


def key_of(kit):
    key = read_json(kit, KEYS)
    return key["name"], decoded(KEYS, key["ed25519"])


def decoded(where, text):
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raise EvidenceError(f"{where}: holds what is not base64") from None


def cell(value):
    """A value as it stands in the table: no text that a spreadsheet would run as a formula."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return "'" + value if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def in_range(at, manifest):
    moment, start, end = (text and datetime.fromisoformat(text) for text in (at, manifest["from"], manifest["to"]))
    return (start is None or start <= moment) and (end is None or moment < end)


def verify(kit, known=None):
    """Check everything; returns the figures, raises `EvidenceError`."""
    manifest = check_files(kit)
    checkpoints = check_checkpoints(kit)
    start, hashes, proven, published = check_leaves(kit, checkpoints, known_checkpoints(known))
    records = check_consents(kit, manifest, proven, published)
    size, root, _ = checkpoints[-1]
    sampled = check_sample(kit, start, hashes, size, root)
    return {"leaves": len(hashes), "checkpoints": len(checkpoints), "consents": records, "sample": sampled}


def main(arguments):
    known = None
    if len(arguments) == 3 and arguments[1] == "--known":
        known = Path(arguments.pop())
        arguments.pop()
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print(__doc__.splitlines()[0], file=sys.stderr)
        return 2
    try:
        figures = verify(Path(arguments[0]), known)
    except EvidenceError as wrong:
        print(f"NOT GENUINE  {wrong}")
        return 1
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        print(f"NOT GENUINE  the kit cannot be read: {type(error).__name__}: {error}")
        return 1
    print("GENUINE  " + ", ".join(f"{count} {what}" for what, count in figures.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
