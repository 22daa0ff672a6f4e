"""Real git over smart HTTP with authentication (git http-backend), a real svnserve and a real Apache, on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.processes import command_lines

INSTALL_GIT = "apt-get install git"
INSTALL_SVN = "apt-get install subversion"
INSTALL_APACHE = "apt-get install --no-install-recommends apache2-bin libapache2-mod-svn"
APACHE_MODULES = Path("/usr/lib/apache2/modules")
_MODULES = """
mpm_event_module mod_mpm_event.so
authn_core_module mod_authn_core.so
authn_file_module mod_authn_file.so
authz_core_module mod_authz_core.so
authz_user_module mod_authz_user.so
auth_basic_module mod_auth_basic.so
dav_module mod_dav.so
dav_svn_module mod_dav_svn.so
"""
IDENTITY = {
    "GIT_AUTHOR_NAME": "T",
    "GIT_AUTHOR_EMAIL": "t@example.com",
    "GIT_COMMITTER_NAME": "T",
    "GIT_COMMITTER_EMAIL": "t@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "file:http",
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": os.fspath(folder), **IDENTITY},
    )
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, str], message: str = "m") -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@dataclass
class GitServer:
    """Serves bare repositories below `root`; `accepted` is the Authorization that opens them, None for everybody."""

    root: Path
    url: str = ""
    accepted: str | None = None
    secrets: tuple[str, ...] = ()
    redirect: str = ""
    old: bool = False
    """Speaks git's first protocol only, in which no commit is given out that no ref names."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    seen_in_arguments: list[str] = field(default_factory=list)
    large: dict[str, bytes] = field(default_factory=dict)
    """Contents that Git LFS asks for, by their SHA-256."""

    def repository(self, name: str, files: dict[str, str] | None = None) -> Path:
        """A new repository with one commit, served as `<url>/<name>.git`; answers a working copy to push from."""
        bare = self.root / f"{name}.git"
        bare.mkdir(parents=True)
        git(bare, "init", "-q", "--bare")
        git(bare, "config", "uploadpack.allowFilter", "true")
        work = self.root.parent / f"{self.root.name}-work" / name
        work.mkdir(parents=True)
        git(work, "init", "-q")
        git(work, "remote", "add", "origin", os.fspath(bare))
        self.push(name, files or {"a.txt": "a"})
        return work

    def push(self, name: str, files: dict[str, str]) -> str:
        work = self.root.parent / f"{self.root.name}-work" / name
        made = commit(work, files)
        git(work, "push", "-q", "origin", "HEAD", "--tags")
        return made

    git = staticmethod(git)
    commit = staticmethod(commit)

    def look_at_arguments(self) -> None:
        if self.secrets:
            lines = command_lines()
            self.seen_in_arguments += [secret for secret in self.secrets if secret.encode() in lines]


class _Backend(BaseHTTPRequestHandler):
    server_of: GitServer

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        server = self.server_of
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        server.asked.append((self.path, self.headers["Authorization"]))
        server.look_at_arguments()
        if server.redirect:
            self._answer(302, {"Location": f"{server.redirect}{self.path}"})
        elif server.accepted is not None and self.headers["Authorization"] != server.accepted:
            self._answer(401, {"WWW-Authenticate": 'Basic realm="git"'})
        elif self.path.endswith("/info/lfs/objects/batch"):
            self._batch(json.loads(body))
        elif self.path.startswith("/large/"):
            self._send(server.large[self.path.rpartition("/")[2]], "application/octet-stream")
        else:
            self._cgi(body)

    def _batch(self, asked: dict[str, Any]) -> None:
        """Git LFS's batch request, for downloads."""
        assert asked["operation"] == "download"
        objects = [
            {**one, "actions": {"download": {"href": f"{self.server_of.url}/large/{one['oid']}"}}}
            for one in asked["objects"]
        ]
        self._send(json.dumps({"transfer": "basic", "objects": objects}).encode(), "application/vnd.git-lfs+json")

    def _send(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _cgi(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": os.fspath(self.server_of.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers["Content-Type"] or "",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers["Content-Encoding"] or "",
            "GIT_PROTOCOL": "" if self.server_of.old else self.headers["Git-Protocol"] or "",
            "REMOTE_ADDR": "127.0.0.1",
        }
        done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environ, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class
        pass


@pytest.fixture
def git_servers(require_program: Callable[[str, str], Path], tmp_path: Path) -> Iterator[Callable[..., GitServer]]:
    """Starts git servers: `accepted` is the Authorization they want, `secrets` are looked for in all arguments."""
    require_program("git", INSTALL_GIT)
    with ExitStack() as running:
        count = 0

        def begin(*, tls: ssl.SSLContext | None = None, **options: Any) -> GitServer:
            nonlocal count
            count += 1
            root = tmp_path / f"served{count}"
            root.mkdir()
            server = GitServer(root, **options)
            http = ThreadingHTTPServer(("127.0.0.1", 0), type("Backend", (_Backend,), {"server_of": server}))
            running.callback(http.server_close)
            if tls is not None:
                http.socket = tls.wrap_socket(http.socket, server_side=True)
            server.url = f"{'https' if tls else 'http'}://127.0.0.1:{http.server_port}"
            thread = threading.Thread(target=http.serve_forever, args=(0.01,))
            thread.start()
            running.callback(thread.join)
            running.callback(http.shutdown)
            return server

        yield begin


@pytest.fixture
def self_signed(require_program: Callable[[str, str], Path], tmp_path: Path) -> ssl.SSLContext:
    """TLS with a certificate that nobody trusts."""
    openssl = require_program("openssl", "apt-get install openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    arguments = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run([openssl, *arguments.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@dataclass(frozen=True)
class SvnServer:
    """A running `program` (svnserve or Apache) with one repository that `user` opens with `password`."""

    program: str
    url: str
    folder: Path
    user: str = "svnuser"
    password: str = "svn-pass-4711"

    def commit(self, files: dict[str, str]) -> int:
        """Put files below trunk, past the server; answers the revision."""
        local = (self.folder / "repo").as_uri()
        for name, text in files.items():
            file = self.folder / "new"
            file.write_text(text)
            subprocess.run(
                ["svnmucc", "-m", "m", "-U", local, "put", os.fspath(file), f"trunk/{name}"],
                check=True,
                capture_output=True,
            )
        done = subprocess.run(["svnlook", "youngest", self.folder / "repo"], check=True, capture_output=True, text=True)
        return int(done.stdout)


@pytest.fixture(params=["svnserve", "Apache"])
def svn_server(request: pytest.FixtureRequest, require_program: Callable[[str, str], Path]) -> Iterator[SvnServer]:
    """Each of the two servers that Subversion has, in turn."""
    svnserve = require_program("svnserve", INSTALL_SVN)
    apache = require_program("apache2", INSTALL_APACHE) if request.param == "Apache" else None
    if apache is not None and not (APACHE_MODULES / "mod_dav_svn.so").exists():
        _missing(f"Apache has no mod_dav_svn; get it with: {INSTALL_APACHE}")
    with tempfile.TemporaryDirectory(prefix="svn-") as name, ExitStack() as running:
        folder = Path(name)
        folder.chmod(0o755)  # Apache serves as another account where root tests
        subprocess.run(["svnadmin", "create", folder / "repo"], check=True)
        local = (folder / "repo").as_uri()
        subprocess.run(["svnmucc", "-m", "m", "-U", local, "mkdir", "trunk"], check=True, capture_output=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        url = f"http://127.0.0.1:{port}/repo" if apache is not None else f"svn://127.0.0.1:{port}/repo"
        server = SvnServer(request.param, url, folder)
        running.enter_context(
            _apache(apache, server, port) if apache is not None else _svnserve(svnserve, server, port)
        )
        yield server


def _missing(reason: str) -> None:
    if os.environ.get("SLUICE_REQUIRE_REAL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def _svnserve(program: Path, server: SvnServer, port: int) -> Iterator[None]:
    settings = "[general]\nanon-access = none\nauth-access = write\npassword-db = passwd\nrealm = tests\n"
    (server.folder / "repo/conf/svnserve.conf").write_text(settings)
    (server.folder / "repo/conf/passwd").write_text(f"[users]\n{server.user} = {server.password}\n")
    options = ["--daemon", "--foreground", "--listen-host", "127.0.0.1", "--listen-port", str(port)]
    with _running([os.fspath(program), *options, "--root", os.fspath(server.folder)], port):
        yield


@contextmanager
def _apache(program: Path, server: SvnServer, port: int) -> Iterator[None]:
    folder = server.folder
    run = folder / "apache"
    run.mkdir()
    as_other: dict[str, str] = {}
    if os.geteuid() == 0:  # Apache does not serve as root
        as_other = {"user": "nobody", "group": "nogroup"}
        shutil.chown(run, "nobody", "nogroup")
    digest = base64.b64encode(hashlib.sha1(server.password.encode()).digest()).decode()
    (folder / "users").write_text(f"{server.user}:{{SHA}}{digest}\n")
    modules = [line.split() for line in _MODULES.splitlines() if line]
    (folder / "apache.conf").write_text(
        "\n".join(f"LoadModule {module} {APACHE_MODULES}/{file}" for module, file in modules)
        + f"""
ServerRoot {run}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {run}/pid
ErrorLog {run}/errors
Mutex file:{run}
<Location /repo>
  DAV svn
  SVNPath {folder}/repo
  AuthType Basic
  AuthName tests
  AuthBasicProvider file
  AuthUserFile {folder}/users
  Require valid-user
</Location>
"""
    )
    with _running([os.fspath(program), "-f", os.fspath(folder / "apache.conf"), "-DFOREGROUND"], port, **as_other):
        yield


@contextmanager
def _running(command: list[str], port: int, **options: str) -> Iterator[None]:
    process = subprocess.Popen(command, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload]  # user, group
    try:
        _wait_for(port)
        yield
    finally:
        process.terminate()
        process.communicate()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            threading.Event().wait(0.02)
    pytest.fail("the Subversion server does not answer")
