"""The Merkle tree of RFC 9162, section 2.1, on raw bytes. Pure.

A leaf hash is SHA-256(0x00 || data), an inner node SHA-256(0x01 || left || right); a tree of n leaves is split at the
largest power of two below n.
"""

import hashlib
from collections.abc import Iterable, Sequence

HASH_BYTES = 32


class ProofError(ValueError):
    """The proof does not show what it is said to show."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf (RFC 9162, section 2.1.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 9162, section 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: enough to add leaves and to know the root, in log(n) memory.

    `peaks` are the roots of the full subtrees from left to right, one for each 1 in the binary form of `size`.
    """

    def __init__(self, size: int = 0, peaks: bytes = b"") -> None:
        """An empty tree, or one that goes on from the `size` and joined `peaks` of an earlier one."""
        if len(peaks) != HASH_BYTES * size.bit_count():
            raise ProofError(f"{len(peaks)} bytes are not the right edge of a tree of {size} leaves")
        self.size = size
        self.peaks = [peaks[start : start + HASH_BYTES] for start in range(0, len(peaks), HASH_BYTES)]

    def add(self, leaf: bytes) -> None:
        """Append the hash of one leaf."""
        self.peaks.append(leaf)
        self.size += 1
        size = self.size
        while size % 2 == 0:
            right = self.peaks.pop()
            self.peaks.append(node_hash(self.peaks.pop(), right))
            size //= 2

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append many leaf hashes."""
        for leaf in leaves:
            self.add(leaf)

    def root(self) -> bytes:
        """The root of the tree so far; of an empty tree SHA-256 of nothing."""
        if not self.peaks:
            return hashlib.sha256().digest()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root_hash(leaf_hashes: Sequence[bytes]) -> bytes:
    """The root of the tree over these leaf hashes."""
    frontier = Frontier()
    frontier.extend(leaf_hashes)
    return frontier.root()


def inclusion_path(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """The proof that the leaf at `index` is in the tree (section 2.1.3.1). Raises `ProofError` outside the tree."""
    if not 0 <= index < len(leaf_hashes):
        raise ProofError(f"index {index} is outside a tree of {len(leaf_hashes)} leaves")
    if len(leaf_hashes) == 1:
        return []
    split = _split(len(leaf_hashes))
    left, right = leaf_hashes[:split], leaf_hashes[split:]
    if index < split:
        return [*inclusion_path(left, index), root_hash(right)]
    return [*inclusion_path(right, index - split), root_hash(left)]


def inclusion_paths(leaf_hashes: Iterable[bytes], indices: Sequence[int]) -> dict[int, list[bytes]]:
    """The inclusion proofs of some leaves from one pass over all, in the memory of one level of the tree.

    Raises `ProofError` for an index outside the tree.
    """
    paths: dict[int, list[bytes]] = {index: [] for index in indices}
    level = b"".join(leaf_hashes)
    size = len(level) // HASH_BYTES
    for index in indices:
        if not 0 <= index < size:
            raise ProofError(f"index {index} is outside a tree of {size} leaves")
    places = dict(zip(indices, indices, strict=True))
    while size > 1:
        for index, place in places.items():
            sibling = place ^ 1
            if sibling < size:  # the last of an odd level goes up as it is
                paths[index].append(level[sibling * HASH_BYTES : (sibling + 1) * HASH_BYTES])
            places[index] = place // 2
        level = _next_level(level, size)
        size = (size + 1) // 2
    return paths


def consistency_path(leaf_hashes: Sequence[bytes], old_size: int) -> list[bytes]:
    """The proof that the first `old_size` leaves have not changed since (section 2.1.4.1). Raises `ProofError`."""
    if not 0 < old_size <= len(leaf_hashes):
        raise ProofError(f"size {old_size} is not that of an earlier tree of {len(leaf_hashes)} leaves")
    return _subproof(leaf_hashes, old_size, complete=True)


def verify_inclusion(index: int, size: int, leaf_hash: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Check an inclusion proof (section 2.1.3.2). Raises `ProofError`."""
    if not 0 <= index < size:
        raise ProofError(f"index {index} is outside a tree of {size} leaves")
    position, last, node = index, size - 1, leaf_hash
    for sibling in path:
        if last == 0:
            raise ProofError("the path is too long")
        if position % 2 == 1 or position == last:
            node = node_hash(sibling, node)
            while position % 2 == 0 and position != 0:
                position, last = position // 2, last // 2
        else:
            node = node_hash(node, sibling)
        position, last = position // 2, last // 2
    if last != 0:
        raise ProofError("the path is too short")
    if node != root:
        raise ProofError("the leaf is not in the tree with this root")


def verify_consistency(  # noqa: PLR0912
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Check a consistency proof (section 2.1.4.2). Raises `ProofError`."""
    if not 0 < old_size <= new_size:
        raise ProofError(f"a tree of {old_size} leaves cannot precede one of {new_size}")
    if old_size == new_size:
        if path:
            raise ProofError("the path is too long")
        if old_root != new_root:
            raise ProofError("two trees of one size have different roots")
        return
    nodes = list(path)
    if old_size & (old_size - 1) == 0:
        nodes.insert(0, old_root)
    if not nodes:
        raise ProofError("the path is too short")
    position, last = old_size - 1, new_size - 1
    while position % 2 == 1:
        position, last = position // 2, last // 2
    old = new = nodes[0]
    for sibling in nodes[1:]:
        if last == 0:
            raise ProofError("the path is too long")
        if position % 2 == 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while position % 2 == 0 and position != 0:
                position, last = position // 2, last // 2
        else:
            new = node_hash(new, sibling)
        position, last = position // 2, last // 2
    if last != 0:
        raise ProofError("the path is too short")
    if old != old_root or new != new_root:
        raise ProofError("the newer tree does not continue the older one")


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _next_level(level: bytes, size: int) -> bytes:
    """The nodes above a level, joined; the last of an odd level is taken over."""
    pair = 2 * HASH_BYTES
    nodes = [
        hashlib.sha256(b"\x01" + level[start : start + pair]).digest() for start in range(0, size // 2 * pair, pair)
    ]
    return b"".join(nodes) + (level[-HASH_BYTES:] if size % 2 else b"")


def _subproof(leaf_hashes: Sequence[bytes], old_size: int, *, complete: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.4.1; `complete` tells whether the old tree is a whole subtree of the original."""
    size = len(leaf_hashes)
    if old_size == size:
        return [] if complete else [root_hash(leaf_hashes)]
    split = _split(size)
    left, right = leaf_hashes[:split], leaf_hashes[split:]
    if old_size <= split:
        return [*_subproof(left, old_size, complete=complete), root_hash(right)]
    return [*_subproof(right, old_size - split, complete=False), root_hash(left)]
