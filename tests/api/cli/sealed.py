"""A ledger with a sealed run, and the command that works on it."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from sqlalchemy import Engine

from runledger.api.cli.app import runledger
from runledger.tracker.seal.keys import load_or_make_key
from runledger.tracker.seal.place import Place
from runledger.tracker.seal.sealer import Sealer
from runledger.tracker.store.engine import open_ledger
from runledger.tracker.store.log import Log
from tests.tracker.seal.attacks import Attacker
from tests.tracker.seal.histories import seal_all, write_of


class Installed:
    """A data folder, as `up` leaves it."""

    def __init__(self, ledger_url: str, folder: Path) -> None:
        self.folder = folder
        self.engine: Engine = open_ledger(ledger_url)
        self.log = Log(self.engine)
        self.environment = {"RUNLEDGER_DATA": str(folder), "RUNLEDGER_LEDGER_URL": ledger_url}
        self.place = Place(f"file://{folder / 'seals'}", self.log.log_id)
        self._count = 0

    def append(self, count: int, stream: str = "run-a") -> None:
        for _ in range(count):
            self._count += 1
            seed = self._count.to_bytes(16, "big")
            self.log.append(write_of(stream, self.log.version(stream), seed))

    def seal(self) -> int:
        key = load_or_make_key(self.folder / "seal.key")
        return seal_all(Sealer(self.log, self.place, key))

    def attacker(self) -> Attacker:
        return Attacker(self.engine)

    def public_key(self) -> Path:
        path = self.folder / "public.key"
        path.write_text(self.run("seal", "public-key").stdout)
        return path

    def run(self, *words: str | Path) -> Result:
        return CliRunner().invoke(runledger, [str(word) for word in words], env=self.environment)

    def close(self) -> None:
        self.log.close()
        self.engine.dispose()
