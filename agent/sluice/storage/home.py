"""The state folder: where the database, the keys, the logs and the work folders of one installation lie."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from sluice.errors import SealError, StorageError
from sluice.values import dataclass

HOME_VARIABLE = "SLUICE_HOME"
DATABASE_VARIABLE = "SLUICE_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Home:
    """The state folder; `url` is the database's when it is not the embedded one.

    Keys lie beside the data folder, never in it: a copy of the data alone opens nothing.
    """

    root: Path
    url: str = ""

    @classmethod
    def find(cls, environment: Mapping[str, str] | None = None) -> Home:
        """The state folder of this user: `SLUICE_HOME`, else the platform's folder for user data."""
        variables = os.environ if environment is None else environment
        url = variables.get(DATABASE_VARIABLE, "")
        if chosen := variables.get(HOME_VARIABLE):
            return cls(Path(chosen).expanduser().absolute(), url)
        from platformdirs import user_data_path

        return cls(user_data_path("sluice", appauthor=False), url)

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def database(self) -> Path:
        return self.data / "sluice.db"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def audit_head(self) -> Path:
        """Where the end of the audit log is noted: with the keys, out of reach of whoever only has the data."""
        return self.keys / "audit-head"

    @property
    def audit_key(self) -> Path:
        """The key that vouches for the audit log, permits and plans; see `vouching`."""
        return self.keys / "audit-key"

    @property
    def locks(self) -> Path:
        """The locks of runs: whoever drives one holds it."""
        return self.root / "locks"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def content(self) -> Path:
        """What artifacts, caches and attachments consist of; see `blobs`."""
        return self.root / "content"

    @property
    def work(self) -> Path:
        return self.root / "work"

    def create(self) -> Home:
        """Make the folders that are missing, open to their owner only, and answer self."""
        for folder in (self.root, self.data, self.keys, self.logs, self.work):
            private_folder(folder)
        return self

    def refuse_open_keys(self) -> None:
        """Raise `SealError` when others may look into the folder of the keys, or put another one in its place."""
        for folder, forbidden, right in ((self.keys, 0o077, "700"), (self.root, 0o022, "go-w")):
            if mode := _mode(folder) & forbidden:
                raise SealError(
                    f"the folder '{folder}' is open to others ({mode:04o} of its mode)",
                    why="the keys lie in it: whoever may replace them decides what is permitted",
                    do=f"close it with 'chmod {right} {folder}'",
                )

    def exposed(self) -> tuple[Path, ...]:
        """The folder of the data and the database, as far as they are open to others (its journals have its mode)."""
        return tuple(path for path in (self.data, self.database) if _mode(path) & 0o077)


def _mode(path: Path) -> int:
    """The permission bits of a path; 0 where there is none, or where the system has no such bits."""
    if os.name != "posix":
        return 0
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0


def private_folder(folder: Path) -> None:
    """Make a folder (and its parents) that only its owner may enter; one that exists is left as it is."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"the folder '{folder}' cannot be made",
            why=error.strerror or str(error),
            do=f"set {HOME_VARIABLE} to a folder that you may write to",
        ) from error
