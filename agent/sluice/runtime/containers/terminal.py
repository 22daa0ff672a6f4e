"""A program in a container that gets a person's terminal: the Docker client hands it over."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice.errors import TaskFailedError

_BLANK = re.compile(r"[\s=]")
_CLIENTS = ("DOCKER_", "LD_", "SSH_")
_CLIENTS_OWN = frozenset({"HOME", "PATH", "TERM"})


def exec_with_terminal(
    container: str,
    arguments: Sequence[str],
    *,
    cwd: str,
    user: str,
    env: Mapping[str, str],
    host: Mapping[str, str],
    private: Path,
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The `docker exec` and its environment. No value is on its command line.

    A private file names the variables: most have their values in the client's environment, those that mean something to
    the client itself have them in the file. `host` is the environment that leads to the engine.
    """
    client = shutil.which("docker", path=host.get("PATH"))
    if client is None:
        raise TaskFailedError(
            "a shell in a container needs the Docker client", do="install it: apt-get install docker-cli"
        )
    known = {
        name: value for name, value in env.items() if name and not name.startswith("#") and not _BLANK.search(name)
    }
    own = {name for name in known if name in _CLIENTS_OWN or name.startswith(_CLIENTS)}
    lines = [f"{name}={known[name]}" if name in own else name for name in sorted(known)]
    kept = private / f".{uuid.uuid4()}.env"
    fd = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(f"{line}\n" for line in lines if "\n" not in line)
    command = (client, "exec", "-it", "-u", user, "-w", cwd, "--env-file", str(kept), container)
    return (*command, *arguments), {**host, **{name: known[name] for name in known.keys() - own}}
