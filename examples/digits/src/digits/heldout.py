"""`python -m digits.heldout > heldout.jsonl`: the held-out digits, to be uploaded as a dataset."""

from __future__ import annotations

import sys

import msgspec

from digits import data


def main() -> None:
    for item in data.as_items(data.read("heldout")):
        sys.stdout.buffer.write(msgspec.json.encode(item) + b"\n")


if __name__ == "__main__":
    main()
