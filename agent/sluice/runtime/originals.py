"""Files that a task changes for the length of the job: as they were, beside the private folder, until they are put back.

They lie where no step's container sees them: what is put back, and where to, is what the task said. They are put back
when the job ends, however it ends, and by whoever sweeps up after a job whose process was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any

_SUFFIX = ".originals"


def keep_original(temp: Path, path: Path) -> None:
    """Note a file as it is now, once in a job; one that does not exist is noted as that. Raises `OSError`.

    `temp` is the private folder of the job.
    """
    path = Path(os.path.realpath(path))
    folder = _folder(temp)
    folder.mkdir(mode=0o700, exist_ok=True)
    notes = sorted(folder.glob("*.json"))
    if any(_read(note)["path"] == os.fspath(path) for note in notes):
        return
    name = f"{len(notes):04}"
    there = path.exists()
    if there:
        _write(folder / name, path.read_bytes())
    content = {"path": os.fspath(path), "mode": stat.S_IMODE(path.stat().st_mode) if there else None}
    _write(folder / f"{name}.json", json.dumps(content).encode())  # last: a note says that its content is whole


def put_back(temp: Path) -> None:
    """Put all files back that the job has noted, as far as their folders are still there and still the same."""
    folder = _folder(temp)
    if not folder.is_dir():
        return
    for note in sorted(folder.glob("*.json")):
        with contextlib.suppress(OSError, ValueError):
            content = _read(note)
            _put_back(Path(content["path"]), note.with_suffix(""), content["mode"])
    shutil.rmtree(folder, ignore_errors=True)


def _put_back(path: Path, original: Path, mode: int | None) -> None:
    if os.path.realpath(path.parent) != os.fspath(path.parent):
        return  # a link stands where the folder was: that leads elsewhere
    if mode is None:
        path.unlink(missing_ok=True)
    elif path.parent.is_dir():
        # in the place of whatever is there now, which is not opened
        fd, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(fd, "wb") as target, original.open("rb") as source:
                shutil.copyfileobj(source, target)
                os.fchmod(target.fileno(), mode)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)


def _folder(temp: Path) -> Path:
    return temp.with_name(temp.name + _SUFFIX)


def _read(note: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(note.read_bytes())
    return content


def _write(path: Path, content: bytes) -> None:
    fd, name = tempfile.mkstemp(dir=path.parent)  # 0600
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    Path(name).replace(path)
