"""Real servers of packages on loopback that want a password: verdaccio (npm) and pypiserver; and a person with a pipeline."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest
from tests.doubles.package_servers import USER, basic_of

from sluice.plugin import Connection, Secret
from sluice_packages import sluice_family

PASSWORD = "packages-pass/0815-x"
START_SECONDS = 40

VERDACCIO = "6.2.4"
MANIFEST = {
    "private": True,
    "dependencies": {"verdaccio": VERDACCIO},
    "overrides": {"node-fetch": "2.7.0"},  # what depends on it asks for a tag, which mirrors may not have
}

_PYPI = """
import json, sys, wsgiref.simple_server, pypiserver
known = tuple(json.load(open("known.json")))
app = pypiserver.app(roots=["packages"], authenticate=["update", "download", "list"], disable_fallback=True,
                     password_file="-", auther=lambda *given: given == known)
wsgiref.simple_server.make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
"""
"""pypiserver with a check of its own: the library that it reads password files with is no longer maintained."""


@dataclass(frozen=True)
class Server:
    """A running server, and what its user logs in with."""

    url: str
    folder: Path
    token: str = ""


@dataclass
class Person:
    """Types commands in a folder with a pipeline; nothing of the state is anybody else's."""

    folder: Path
    secrets: list[str] = field(default_factory=lambda: [PASSWORD])
    said: str = ""

    def __post_init__(self) -> None:
        self.pipeline = self.folder / "team"
        self.pipeline.mkdir()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SLUICE_")}
        rustup = os.environ.get("RUSTUP_HOME", os.fspath(Path("~/.rustup").expanduser()))
        self.environ = kept | {
            "HOME": os.fspath(self.folder),
            "SLUICE_HOME": os.fspath(self.folder / "home"),
            "TERM": "dumb",
            "RUSTUP_HOME": rustup,
        }

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.pipeline / name).parent.mkdir(parents=True, exist_ok=True)
            (self.pipeline / name).write_text(dedent(text))

    def text(self, name: str) -> str:
        return (self.pipeline / name).read_text()

    def sluice(self, *arguments: str, given: str = "", status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "sluice", *arguments],
            cwd=self.pipeline,
            env=self.environ,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said += done.stdout + done.stderr
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def connect(self, name: str, kind: str, url: str, *, token: str = "", data: str = "") -> str:
        """Create a connection, tried at once; answers what was said."""
        arguments = ["--type", kind, "--url", url, "--allow-all-pipelines", "--verify"]
        if token:
            arguments += ["--scheme", "Token", "--secret", "apitoken=-"]
        else:
            arguments += ["--scheme", "UsernamePassword", "--set", f"username={USER}", "--secret", "password=-"]
        arguments += ["--set", data] if data else []
        self.secrets += [token] if token else []
        return self.sluice("connection", "create", name, *arguments, given=token or PASSWORD)

    def left(self) -> list[Path]:
        """Files of the state, and of the home, that hold a secret in one of the spellings that tools have for it."""
        spelt = [one.encode() for one in self.secrets] + [base64.b64encode(one.encode()) for one in self.secrets]
        spelt += [basic_of(USER, one).partition(" ")[2].encode() for one in self.secrets]
        files = (path for path in self.folder.rglob("*") if path.is_file() and not path.is_symlink())
        return [path for path in files if any(one in path.read_bytes() for one in spelt)]

    def check(self) -> None:
        """Nothing of a secret was said, and nothing is left of it."""
        assert [one for one in self.secrets if one in self.said] == []
        assert self.left() == []


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def wrong(kind: str, url: str, scheme: str) -> Connection:
    """A connection with credentials that nobody has."""
    secret = Secret("wrong-pass-4711")
    if scheme == "token":
        return Connection(id="1", name="c", type=kind, url=url, scheme="Token", parameters={"apitoken": secret})
    given: dict[str, str | Secret] = {"username": USER, "password": secret}
    return Connection(id="1", name="c", type=kind, url=url, scheme="UsernamePassword", parameters=given)


def verify(connection: Connection) -> str:
    return sluice_family().verify[connection.type](connection)


def missing(reason: str) -> None:
    """Skip, or fail where everything has to be there."""
    if os.environ.get("SLUICE_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def verdaccio(
    require_program: Callable[[str, str], Path],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A registry whose packages are for `USER` alone; from npm, kept in pytest's cache."""
    node = require_program("node", "apt-get install nodejs npm")
    npm = require_program("npm", "apt-get install nodejs npm")
    cache = request.config.cache
    place = Path(cache.mkdir("verdaccio")) if cache is not None else Path(tempfile.mkdtemp())
    place /= VERDACCIO
    if not (place / "complete").exists():
        place.mkdir(parents=True, exist_ok=True)
        (place / "package.json").write_text(json.dumps(MANIFEST))
        command = [str(npm), "install", "--prefix", str(place), "--ignore-scripts", "--no-audit", "--no-fund"]
        got = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
        if got.returncode:
            missing(f"npm cannot install verdaccio {VERDACCIO}: {got.stderr[-500:]}")
        (place / "complete").touch()
    folder = tmp_path_factory.mktemp("verdaccio")
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
    (folder / "htpasswd").write_text(f"{USER}:{{SHA}}{digest}\n")
    settings = {
        "storage": str(folder / "storage"),
        "auth": {"htpasswd": {"file": str(folder / "htpasswd"), "max_users": -1}},
        "packages": {"**": {"access": "$authenticated", "publish": "$authenticated"}},
        "web": {"enable": False},
        "log": {"type": "stdout", "format": "pretty", "level": "http"},
    }
    (folder / "config.yaml").write_text(json.dumps(settings))
    port = _free_port()
    program = [str(node), str(place / "node_modules/verdaccio/bin/verdaccio"), "--config", str(folder / "config.yaml")]
    with _running([*program, "--listen", f"http://127.0.0.1:{port}"], folder, port):
        url = f"http://127.0.0.1:{port}/"
        yield Server(url, folder, _npm_token(url))


@pytest.fixture(scope="session")
def pypiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An index and a repository of Python packages."""
    for module in ("pypiserver", "twine", "pip"):
        if importlib.util.find_spec(module) is None:
            missing(f"{module} is not installed; get it with: pip install pypiserver twine pip")
    folder = tmp_path_factory.mktemp("pypiserver")
    (folder / "packages").mkdir()
    (folder / "known.json").write_text(json.dumps([USER, PASSWORD]))
    port = _free_port()
    with _running([sys.executable, "-W", "ignore", "-c", _PYPI, str(port)], folder, port):
        yield Server(f"http://127.0.0.1:{port}/", folder)


def _npm_token(url: str) -> str:
    body = json.dumps({"name": USER, "password": PASSWORD}).encode()
    headers = {"Content-Type": "application/json", "Authorization": basic_of(USER, PASSWORD)}
    asked = urllib.request.Request(f"{url}-/user/org.couchdb.user:{USER}", body, headers, method="PUT")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return str(json.load(answer)["token"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """A server for the length of the block, once it answers."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"{command[0]} does not answer: {(folder / 'log').read_text()[-2000:]}")
            threading.Event().wait(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
