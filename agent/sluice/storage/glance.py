"""A glance at the embedded database without its library, for the list that people look at many times a day.

SQLAlchemy's import alone takes longer than such a command may (goal G2). Whatever is out of the ordinary (another
database, a schema of another version, trouble of any kind) is left to the usual way, which explains it.
"""

from __future__ import annotations

import sqlite3

from sluice.storage.home import Home
from sluice.storage.names import name_key
from sluice.storage.revisions import NEWEST
from sluice.values import dataclass

_CONNECTIONS = """
SELECT reference.name, connection.type, connection.scheme, connection.url, connection.disabled,
  (SELECT MIN(expires_at) FROM connection_expiries AS expiry WHERE expiry.connection_id = connection.id)
FROM connection_projects AS reference
JOIN connections AS connection ON connection.id = reference.connection_id
WHERE reference.project_id = ?
ORDER BY reference.name_key
"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A service connection as the list shows it."""

    name: str
    type: str
    scheme: str
    url: str
    disabled: bool
    expires_at: float | None = None


def connections(home: Home, project: str) -> list[Listed] | None:
    """The service connections of a project, by name; None when that needs the usual way."""
    if home.url or not home.database.is_file():
        return None
    try:
        database = sqlite3.connect(f"{home.database.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return None
    try:
        if database.execute("SELECT version_num FROM alembic_version").fetchone() != (NEWEST,):
            return None
        found = database.execute("SELECT id FROM projects WHERE name_key = ?", (name_key(project),)).fetchone()
        if found is None:
            return None
        rows = database.execute(_CONNECTIONS, found)
        return [Listed(name, kind, scheme, url, bool(off), at) for name, kind, scheme, url, off, at in rows]
    except sqlite3.Error:
        return None
    finally:
        database.close()
