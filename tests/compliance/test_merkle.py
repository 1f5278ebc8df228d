"""The Merkle tree against a naive implementation written here, after RFC 9162, section 2.1."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance import merkle

LEAVES = st.lists(st.binary(max_size=8), min_size=1, max_size=70).map(lambda data: [merkle.leaf_hash(d) for d in data])


def naive_root(hashes: list[bytes]) -> bytes:
    """MTH, word for word: split at the largest power of two below the size."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(hashes[:split]) + naive_root(hashes[split:])).digest()


def naive_recompute(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """The root that an inclusion path leads to, by walking down the tree."""
    if size == 1:
        assert not path
        return leaf
    split = 1
    while split * 2 < size:
        split *= 2
    if index < split:
        return merkle.node_hash(naive_recompute(index, split, leaf, path[:-1]), path[-1])
    return merkle.node_hash(path[-1], naive_recompute(index - split, size - split, leaf, path[:-1]))


def test_leaf_hash_is_that_of_the_rfc() -> None:
    assert merkle.leaf_hash(b"") == hashlib.sha256(b"\x00").digest()
    assert merkle.root_hash([]) == hashlib.sha256(b"").digest()


@given(LEAVES)
def test_root(hashes: list[bytes]) -> None:
    assert merkle.root_hash(hashes) == naive_root(hashes)


@given(LEAVES, st.data())
def test_a_frontier_goes_on_from_any_size(hashes: list[bytes], data: st.DataObject) -> None:
    size = data.draw(st.integers(0, len(hashes)))
    first = merkle.Frontier()
    first.extend(hashes[:size])
    second = merkle.Frontier(size, b"".join(first.peaks))
    second.extend(hashes[size:])
    assert second.root() == naive_root(hashes)


def test_a_frontier_of_the_wrong_width_is_refused() -> None:
    with pytest.raises(merkle.ProofError):
        merkle.Frontier(3, b"x" * 32)


@given(LEAVES, st.data())
def test_inclusion(hashes: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(hashes) - 1))
    path = merkle.inclusion_path(hashes, index)
    root = naive_root(hashes)
    assert naive_recompute(index, len(hashes), hashes[index], path) == root
    merkle.verify_inclusion(index, len(hashes), hashes[index], path, root)


@given(LEAVES, st.data())
def test_inclusion_proofs_that_show_nothing_are_refused(hashes: list[bytes], data: st.DataObject) -> None:
    size, root = len(hashes), naive_root(hashes)
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_path(hashes, index)
    bad: list[tuple[int, int, bytes, list[bytes]]] = [
        (index, size, merkle.leaf_hash(b"another leaf"), path),
        (-1, size, hashes[index], path),
        (size, size, hashes[index], path),
        (index, 0, hashes[index], path),
        (index, size, hashes[index], [*path, root]),
    ]
    if path:
        bad.append((index, size, hashes[index], path[:-1]))
        bad.append((index, size, hashes[index], [bytes(32), *path[1:]]))
    for wrong in bad:
        with pytest.raises(merkle.ProofError):
            merkle.verify_inclusion(*wrong, root)


@given(LEAVES, st.data())
def test_consistency(hashes: list[bytes], data: st.DataObject) -> None:
    old = data.draw(st.integers(1, len(hashes)))
    path = merkle.consistency_path(hashes, old)
    roots = naive_root(hashes[:old]), naive_root(hashes)
    merkle.verify_consistency(old, len(hashes), *roots, path)


@given(LEAVES, st.data())
def test_consistency_proofs_that_show_nothing_are_refused(hashes: list[bytes], data: st.DataObject) -> None:
    size = len(hashes)
    old = data.draw(st.integers(1, size))
    path = merkle.consistency_path(hashes, old)
    old_root, new_root = naive_root(hashes[:old]), naive_root(hashes)
    other = merkle.leaf_hash(b"another tree")
    bad: list[tuple[int, int, bytes, bytes, list[bytes]]] = [
        (old, size, other, new_root, path),
        (old, size, old_root, other, path),
        (old, size, old_root, new_root, [*path, other]),
        (0, size, old_root, new_root, path),
        (size + 1, size, old_root, new_root, path),
    ]
    if path:
        bad.append((old, size, old_root, new_root, path[:-1]))
    for wrong in bad:
        with pytest.raises(merkle.ProofError):
            merkle.verify_consistency(*wrong)


@pytest.mark.parametrize("index", [-1, 3])
def test_no_path_outside_the_tree(index: int) -> None:
    with pytest.raises(merkle.ProofError):
        merkle.inclusion_path([bytes(32)] * 3, index)


@pytest.mark.parametrize("old_size", [0, -1, 4])
def test_no_consistency_path_outside_the_tree(old_size: int) -> None:
    with pytest.raises(merkle.ProofError):
        merkle.consistency_path([bytes(32)] * 3, old_size)


@given(LEAVES, st.data())
def test_many_inclusion_paths_are_those_of_one_at_a_time(hashes: list[bytes], data: st.DataObject) -> None:
    indices = data.draw(st.lists(st.integers(0, len(hashes) - 1), unique=True))
    found = merkle.inclusion_paths(iter(hashes), indices)
    assert found == {index: merkle.inclusion_path(hashes, index) for index in indices}


def test_many_inclusion_paths_refuse_what_is_outside() -> None:
    with pytest.raises(merkle.ProofError):
        merkle.inclusion_paths([b"x" * 32], [1])
