"""Merkle trees of RFC 6962, section 2.1: roots that grow leaf by leaf, and proofs of inclusion.

Everything here works on hashes of leaves; indexes count from 0, as in the RFC. A tree of n leaves is a row
of perfect trees, the largest first, one for each bit of n: their roots are all that growing needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

HASH_BYTES = 32
LEAF = b"\x00"
NODE = b"\x01"
EMPTY_ROOT = sha256(b"").digest()


def hash_leaf(data: bytes) -> bytes:
    return sha256(LEAF + data).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    return sha256(NODE + left + right).digest()


class Frontier:
    """The right edge of a tree: O(log n) hashes, from which it grows and its root is found."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        """Raises ValueError where there are not as many peaks as a tree of this size has."""
        self.size = size
        self.peaks = list(peaks)
        if len(self.peaks) != size.bit_count() or any(len(peak) != HASH_BYTES for peak in self.peaks):
            raise ValueError(f"a tree of {size} leaves has other peaks")

    @classmethod
    def from_bytes(cls, size: int, stored: bytes) -> Frontier:
        """Raises ValueError, like the constructor."""
        return cls(size, split_hashes(stored))

    def push(self, leaf: bytes) -> None:
        node, full = leaf, self.size
        while full & 1:
            node = sha256(NODE + self.peaks.pop() + node).digest()
            full >>= 1
        self.peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        return fold_peaks(self.peaks)

    def copy(self) -> Frontier:
        return Frontier(self.size, self.peaks)

    def to_bytes(self) -> bytes:
        return b"".join(self.peaks)


class AuditPaths:
    """Proofs for some leaves of a tree, collected while all its leaves are pushed once."""

    def __init__(self, size: int, indexes: Iterable[int]) -> None:
        self.size = size
        self._levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
        self._nodes: dict[tuple[int, int], bytes | None] = {}
        for index in indexes:
            self._nodes.update(dict.fromkeys(self._siblings(index)))
        self._frontier = Frontier()

    def push(self, leaf: bytes) -> None:
        """The next leaf; what it completes is kept if some proof needs it."""
        index, level, node, peaks = self._frontier.size, 0, leaf, self._frontier.peaks
        self._keep(level, index, node)
        while index & 1:
            node = hash_node(peaks.pop(), node)
            index >>= 1
            level += 1
            self._keep(level, index, node)
        peaks.append(node)
        self._frontier.size += 1

    def root(self) -> bytes:
        return self._frontier.root()

    def path(self, index: int) -> list[bytes]:
        """From the leaf's sibling up to the root's child. Ask once all leaves are there."""
        if self._frontier.size != self.size:
            raise ValueError(f"{self._frontier.size} leaves of {self.size} were pushed")
        found = [self._nodes[key] for key in self._siblings(index)]
        path = [node for node in found if node is not None]
        place = self._tree_of(index)[0]
        peaks = self._frontier.peaks
        if place + 1 < len(peaks):
            path.append(fold_peaks(peaks[place + 1 :]))
        return path + peaks[:place][::-1]

    def _keep(self, level: int, index: int, node: bytes) -> None:
        if (level, index) in self._nodes:
            self._nodes[level, index] = node

    def _siblings(self, index: int) -> list[tuple[int, int]]:
        """Level and index of what stands beside the way from a leaf to the root of its perfect tree."""
        return [(level, index >> level ^ 1) for level in range(self._tree_of(index)[1])]

    def _tree_of(self, index: int) -> tuple[int, int]:
        """Which perfect tree holds the leaf, and how high that is."""
        if not 0 <= index < self.size:
            raise ValueError(f"no leaf {index} in a tree of {self.size}")
        end = 0
        for place, level in enumerate(self._levels):
            end += 1 << level
            if index < end:
                return place, level
        raise AssertionError("unreachable: the trees hold all leaves")


def fold_peaks(peaks: Sequence[bytes]) -> bytes:
    """The root over perfect trees, the largest first."""
    if not peaks:
        return EMPTY_ROOT
    node = peaks[-1]
    for peak in reversed(peaks[:-1]):
        node = hash_node(peak, node)
    return node


def root_of_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a proof leads to (RFC 9162, section 2.1.3.2); None for one of the wrong length."""
    if not 0 <= index < size:
        return None
    here, last, node = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if here & 1 or here == last:
            node = hash_node(sibling, node)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            node = hash_node(node, sibling)
        here, last = here >> 1, last >> 1
    return node if last == 0 else None


def split_hashes(joined: bytes) -> list[bytes]:
    """Raises ValueError for what is not a row of hashes."""
    if len(joined) % HASH_BYTES:
        raise ValueError(f"{len(joined)} bytes are no row of hashes")
    return [joined[start : start + HASH_BYTES] for start in range(0, len(joined), HASH_BYTES)]
