"""The state folder: where the database, the keys, the logs and the work folders of one installation lie."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import StorageError

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
    def work(self) -> Path:
        return self.root / "work"

    def create(self) -> Home:
        """Make the folders that are missing, open to their owner only, and answer self."""
        for folder in (self.root, self.data, self.keys, self.logs, self.work):
            private_folder(folder)
        return self


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
