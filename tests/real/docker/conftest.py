"""A Docker engine of the tests' own, registries that want a password, and images made from nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
from tests.doubles.certificates import Authority

from sluice.plugin import Connection, Secret
from sluice.runtime.containers.creation import JOB_LABEL

USER = "builder"
START_SECONDS = 40

FindProgram = Callable[[str, str], Path]


@dataclass(frozen=True)
class Engine:
    """A running Docker engine; `environment` leads clients to it. It listens on loopback, too, for known clients."""

    socket: str
    folder: Path
    address: str
    authority: Authority

    @property
    def environment(self) -> dict[str, str]:
        return {"DOCKER_HOST": self.socket, "PATH": os.environ["PATH"], "HOME": str(self.folder)}

    def connection(self, authority: Authority | None = None, address: str = "") -> Connection:
        """A Docker Host connection with a client certificate; `authority` has issued it."""
        with tempfile.TemporaryDirectory() as name:
            certificate, key = (authority or self.authority).issue("client", Path(name))
            parameters: dict[str, str | Secret] = {
                "cacert": Secret(self.authority.path.read_text()),
                "cert": Secret(certificate.read_text()),
                "key": Secret(key.read_text()),
            }
        url = address or f"tcp://{self.address}"
        return Connection(
            id="host", name="engine", type="dockerhost", url=url, scheme="Certificate", parameters=parameters
        )

    def docker(self, *arguments: str) -> str:
        done = subprocess.run(["docker", *arguments], env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"docker {arguments}: {done.stderr}"
        return done.stdout.strip()

    def has(self, image: str) -> bool:
        command = ["docker", "image", "inspect", image]
        return subprocess.run(command, env=self.environment, capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class Registry:
    """A registry behind a password, over TLS."""

    host: str
    password: str
    authority: Authority
    log: Path

    def connection(self, name: str = "registry", *, password: str = "", host: str = "") -> Connection:
        return Connection(
            id=f"id-{name}",
            name=name,
            type="dockerregistry",
            url="https://hub.docker.com/",
            scheme="UsernamePassword",
            parameters={
                "registry": f"https://{host or self.host}",
                "username": USER,
                "password": Secret(password or self.password),
            },
            data={"registrytype": "Others"},
        )


@pytest.fixture(scope="session")
def engine(require_program: FindProgram, authority: Authority) -> Iterator[Engine]:
    dockerd = require_program("dockerd", "apt-get install docker.io")
    require_program("docker", "apt-get install docker.io")
    if os.geteuid() != 0:
        pytest.skip("a Docker engine of one's own needs root")
    # a short path: a socket's has 108 bytes
    folder = Path(tempfile.mkdtemp(prefix="sluice-dockerd-"))
    address = f"unix://{folder}/d.sock"
    tcp = f"127.0.0.1:{_free_port()}"
    certificate, key = authority.issue("engine", folder)
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [
            *(str(dockerd), "--iptables=false", "--ip6tables=false", "--bridge=none"),
            *(f"--data-root={folder}/data", f"--exec-root={folder}/exec", "--pidfile", f"{folder}/pid", "-H", address),
            *("-H", f"tcp://{tcp}", "--tlsverify", f"--tlscacert={authority.path}"),
            *(f"--tlscert={certificate}", f"--tlskey={key}"),
        ],
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        engine = Engine(address, folder, tcp, authority)
        _until(lambda: _answers(engine), process, folder / "log")
        yield engine
    finally:
        _end(process)
        log.close()
        _remove(folder)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def registries(
    require_program: FindProgram, tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[tuple[Registry, Registry]]:
    program = require_program("docker-registry", "apt-get install docker-registry")
    htpasswd = require_program("htpasswd", "apt-get install apache2-utils")
    with contextlib.ExitStack() as running:
        made = [
            running.enter_context(
                _registry(program, htpasswd, tmp_path_factory.mktemp(name), authority, f"pw-{name}-81f0")
            )
            for name in ("one", "two")
        ]
        yield made[0], made[1]


@pytest.fixture(scope="session")
def registry(registries: tuple[Registry, Registry]) -> Registry:
    return registries[0]


@pytest.fixture(scope="session")
def busybox(engine: Engine, require_program: FindProgram, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with a shell, built from nothing."""
    program = require_program("busybox", "apt-get install busybox-static")
    bash = require_program("bash-static", "apt-get install bash-static")
    context = tmp_path_factory.mktemp("busybox")
    shutil.copy(program, context / "busybox")
    shutil.copy(bash, context / "bash")
    (context / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (context / "Dockerfile").write_text(
        "FROM scratch\nCOPY busybox bash /bin/\nCOPY passwd /etc/passwd\n"
        'RUN ["/bin/busybox", "--install", "-s", "/bin"]\nRUN mkdir -p /root /tmp /www && echo hello-web >/www/index.html\n'
        'CMD ["/bin/sh"]\n'
    )
    engine.docker("build", "-q", "-t", "sluice-test/busybox:1", str(context))
    return "sluice-test/busybox:1"


@pytest.fixture(scope="session")
def private_image(publish: Callable[[str, str], str], busybox: str) -> str:
    """The image behind the registry's password."""
    return publish(busybox, "team/box:1")


@pytest.fixture(scope="session")
def web_image(
    publish: Callable[[str, str], str], engine: Engine, busybox: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A web server behind the registry's password; answers its name without the registry."""
    context = tmp_path_factory.mktemp("web")
    (context / "Dockerfile").write_text(f'FROM {busybox}\nCMD ["httpd", "-f", "-p", "8080", "-h", "/www"]\n')
    engine.docker("build", "-q", "-t", "sluice-test/web:1", str(context))
    return publish("sluice-test/web:1", "team/web:1").partition("/")[2]


@pytest.fixture(scope="session")
def publish(engine: Engine, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], str]:
    """Pushes an image to the registry and takes it from the machine: whoever starts it has to pull it."""
    config = str(tmp_path_factory.mktemp("config"))
    login = ["docker", "--config", config, "login", "-u", USER, "--password-stdin", registry.host]
    subprocess.run(login, env=engine.environment, input=registry.password, text=True, check=True, capture_output=True)

    def push(local: str, name: str) -> str:
        image = f"{registry.host}/{name}"
        engine.docker("tag", local, image)
        engine.docker("--config", config, "push", "-q", image)
        engine.docker("image", "rm", image)
        return image

    return push


@pytest.fixture
def person(engine: Engine, tmp_path: Path) -> Person:
    return Person(tmp_path, engine)


class Person:
    """Types commands in a folder with a pipeline, on a machine with the engine."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder = folder / "team"
        self.folder.mkdir()
        self.home = folder / "home"
        self.engine = engine
        own = {"SLUICE_HOME": str(self.home), "HOME": str(folder), "DOCKER_HOST": engine.socket, "TERM": "dumb"}
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "DOCKER_", "GIT_"))
        }
        self.environment = kept | own
        self.said = ""

    def write(self, text: str, name: str = "azure-pipelines.yml") -> None:
        (self.folder / name).write_text(dedent(text))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "sluice", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def sluice(self, *arguments: str, status: int = 0, given: str = "") -> str:
        done = subprocess.run(
            [sys.executable, "-m", "sluice", *arguments],
            cwd=self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        self.said += done.stdout + done.stderr
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def connect(self, registry: Registry, name: str = "registry") -> None:
        arguments = [
            "--type",
            "dockerregistry",
            "--scheme",
            "UsernamePassword",
            "--set",
            f"registry=https://{registry.host}",
            "--set",
            f"username={USER}",
        ]
        self.sluice("connection", "create", name, *arguments, "--secret", "password=-", given=registry.password)

    def containers(self) -> str:
        """The containers and the networks of jobs."""
        label = ["--filter", f"label={JOB_LABEL}", "-q"]
        return self.engine.docker("ps", "-a", *label) + self.engine.docker("network", "ls", *label)


@contextlib.contextmanager
def _registry(program: Path, htpasswd: Path, folder: Path, authority: Authority, password: str) -> Iterator[Registry]:
    port = _free_port()
    line = subprocess.run([htpasswd, "-niB", USER], input=password, capture_output=True, text=True, check=True)
    (folder / "htpasswd").write_text(line.stdout)
    certificate, key = authority.issue("registry", folder)
    (folder / "config.yml").write_text(
        "version: 0.1\n"
        f"storage:\n  filesystem:\n    rootdirectory: {folder}/data\n"
        f"http:\n  addr: 127.0.0.1:{port}\n  tls:\n    certificate: {certificate}\n    key: {key}\n"
        f"auth:\n  htpasswd:\n    realm: tests\n    path: {folder}/htpasswd\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "serve", folder / "config.yml"], stdout=log, stderr=log)
        try:
            _until(lambda: _listens(port), process, folder / "log")
            yield Registry(f"127.0.0.1:{port}", password, authority, folder / "log")
        finally:
            _end(process)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def _answers(engine: Engine) -> bool:
    command = ["docker", "version"]
    return subprocess.run(command, env=engine.environment, capture_output=True, check=False).returncode == 0


def _until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"{process.args!r} did not start: {log.read_text(errors='replace')[-2000:]}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _remove(folder: Path) -> None:
    """What is mounted below goes first, deepest first."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((one for one in mounts if one.startswith(f"{folder}/")), key=len, reverse=True):
        subprocess.run(["umount", "-l", mount], check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)
