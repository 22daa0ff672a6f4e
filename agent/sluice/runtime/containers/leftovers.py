"""Containers that a killed process left behind: found by a note beside the private folder of their job, and removed.

The note is written before the first container is made. Whoever starts a job next looks at the notes whose job no
living process has, asks the engine that the note names, and removes what carries the job's label.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

SUFFIX = ".containers"


def note(temp: Path) -> Path:
    """Where the note of the job with that private folder lies."""
    return temp.with_name(temp.name + SUFFIX)


def write(temp: Path, lookup: str, environ: Mapping[str, str]) -> None:
    """Note that the job is about to have containers, and on which engine."""
    from sluice.runtime.containers.engine import SETTINGS

    settings = {name: environ[name] for name in SETTINGS if environ.get(name)}
    path = note(temp)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w") as file:
        json.dump({"lookup": lookup, "engine": settings}, file)
        file.flush()
        os.fsync(file.fileno())


def remove(path: Path) -> bool:
    """Remove what the note tells of, and the note; False when the engine could not be asked: the note stays."""
    from sluice.runtime.containers.engine import Engine, EngineError

    try:
        found = json.loads(path.read_text())
        lookup, settings = str(found["lookup"]), dict(found["engine"])
    except (OSError, ValueError, KeyError, TypeError):  # written in part: nothing had been made then
        path.unlink(missing_ok=True)
        return True
    try:
        engine = Engine.connect(settings)
        with contextlib.closing(engine):
            engine.remove_all(lookup)
    except EngineError:
        return False
    path.unlink(missing_ok=True)
    return True
