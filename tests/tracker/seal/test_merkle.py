"""Trees and proofs, held against the vectors that are published for RFC 6962 and against its definition."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest

from runledger.tracker.seal.merkle import (
    EMPTY_ROOT,
    AuditPaths,
    Frontier,
    hash_leaf,
    hash_node,
    root_of_path,
    split_hashes,
)

INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
"""Of the first n inputs: Certificate Transparency's reference implementation."""
NODES = {
    "0-1": "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "1-1": "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "2-1": "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
}
"""Level and index, from the same source."""
LEAVES = [hash_leaf(bytes.fromhex(each)) for each in INPUTS]


def tree(leaves: list[bytes]) -> bytes:
    """The definition in section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hash_node(tree(leaves[:split]), tree(leaves[split:]))


def path(index: int, leaves: list[bytes]) -> list[bytes]:
    """The definition in section 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return [*path(index, leaves[:split]), tree(leaves[split:])]
    return [*path(index - split, leaves[split:]), tree(leaves[:split])]


def some_leaves(count: int) -> list[bytes]:
    return [hash_leaf(str(each).encode()) for each in range(count)]


def collected(leaves: list[bytes], indexes: list[int]) -> AuditPaths:
    paths = AuditPaths(len(leaves), indexes)
    for leaf in leaves:
        paths.push(leaf)
    return paths


def test_roots_are_those_of_the_published_vectors() -> None:
    frontier = Frontier()
    roots = [frontier.root().hex()]
    for leaf in LEAVES:
        frontier.push(leaf)
        roots.append(frontier.root().hex())
    assert tuple(roots) == ROOTS
    assert ROOTS[0] == EMPTY_ROOT.hex()


def test_a_proof_is_that_of_the_published_vectors() -> None:
    found = collected(LEAVES, [0]).path(0)
    assert [each.hex() for each in found] == [NODES["0-1"], NODES["1-1"], NODES["2-1"]]


@pytest.mark.parametrize("size", range(1, 40))
def test_every_root_and_proof_is_what_the_definition_says(size: int) -> None:
    leaves = some_leaves(size)
    paths = collected(leaves, list(range(size)))
    assert paths.root() == tree(leaves)
    for index, leaf in enumerate(leaves):
        assert paths.path(index) == path(index, leaves)
        assert root_of_path(leaf, index, size, paths.path(index)) == paths.root()


def test_proofs_for_a_few_leaves_of_many() -> None:
    leaves = some_leaves(3_001)
    wanted = random.Random(1).sample(range(3_001), 20)
    paths = collected(leaves, wanted)
    for index in wanted:
        assert root_of_path(leaves[index], index, 3_001, paths.path(index)) == tree(leaves)


def test_a_proof_for_another_place_or_of_another_length_leads_elsewhere() -> None:
    leaves = some_leaves(11)
    paths = collected(leaves, list(range(11)))
    for index in range(11):
        proof = paths.path(index)
        for other in range(-1, 12):
            assert other == index or root_of_path(leaves[index], other, 11, proof) != paths.root()
        assert root_of_path(leaves[index], index, 11, proof[:-1]) != paths.root()
        assert root_of_path(leaves[index], index, 11, [*proof, leaves[0]]) != paths.root()


def test_a_frontier_goes_on_where_it_was_stored() -> None:
    leaves = some_leaves(100)
    whole, stored = Frontier(), Frontier()
    for leaf in leaves:
        whole.push(leaf)
        stored = Frontier.from_bytes(stored.size, stored.to_bytes())
        stored.push(leaf)
    assert stored.root() == whole.root()
    assert len(stored.to_bytes()) == 3 * 32


@pytest.mark.parametrize(("size", "stored"), [(3, b"x" * 32), (1, b""), (1, b"x" * 31), (2, b"x" * 64)])
def test_a_frontier_of_another_shape_is_refused(size: int, stored: bytes) -> None:
    with pytest.raises(ValueError, match=r"peaks|hashes"):
        Frontier.from_bytes(size, stored)


def test_paths_are_asked_for_when_all_leaves_are_there() -> None:
    paths = AuditPaths(3, [1])
    with pytest.raises(ValueError, match="0 leaves of 3"):
        paths.path(1)
    with pytest.raises(ValueError, match="no leaf 3"):
        AuditPaths(3, [3])


def test_hashes_are_split_where_they_were_joined() -> None:
    assert split_hashes(LEAVES[0] + LEAVES[1]) == LEAVES[:2]
