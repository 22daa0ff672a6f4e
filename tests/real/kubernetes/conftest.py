"""A Kubernetes API server of the tests' own, with RBAC, real service accounts and the controllers of the real thing.

There is no kubelet: a thread takes its place and says of each pod that it runs, unless its image says otherwise.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.certificates import Authority

from sluice.plugin import Connection, Secret

START_SECONDS = 60
SERVER = "Kubernetes API server"
BUILD = "bash .ci/build-kubernetes"
ADMIN = "admin-token-5c1e07"
BROKEN = "registry.invalid/broken"
"""Pods with this image never run, as with one that cannot be pulled."""

FindProgram = Callable[[str, str], Path]
Object = dict[str, Any]


@dataclass(frozen=True)
class ApiServer:
    """A running API server; `ask` speaks with it as its administrator."""

    url: str
    authority: Authority
    programs: Path
    clients: Authority

    def ask(self, method: str, path: str, body: object = None, content: str = "application/json") -> Object:
        request = urllib.request.Request(  # loopback
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {ADMIN}", "Content-Type": content},
        )
        context = ssl.create_default_context(cafile=str(self.authority.path))
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            found: Object = json.load(answer)
        return found

    def has(self, path: str) -> bool:
        try:
            self.ask("GET", path)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise
        return True

    def namespace(self, name: str) -> Namespace:
        """A new namespace with a service account `deployer` that may do all in it."""
        self.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        found = Namespace(self, name)
        found.account("deployer", role="admin")
        return found

    def kubeconfig(self, user: Mapping[str, str], **cluster: object) -> Object:
        ca = base64.b64encode(self.authority.path.read_bytes()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority-data": ca} | cluster}],
            "users": [{"name": "somebody", "user": dict(user)}],
            "contexts": [{"name": "here", "context": {"cluster": "test", "user": "somebody"}}],
        }


@dataclass(frozen=True)
class Namespace:
    server: ApiServer
    name: str

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.name}"

    @property
    def apps(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.name}"

    def account(self, name: str, *, role: str = "") -> None:
        self.server.ask("POST", f"{self.path}/serviceaccounts", {"metadata": {"name": name}})
        if role:
            self.bind(name, {"kind": "ClusterRole", "name": role})

    def bind(self, account: str, role: dict[str, str]) -> None:
        self.server.ask(
            "POST",
            f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self.name}/rolebindings",
            {
                "metadata": {"generateName": "bind-"},
                "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": self.name}],
                "roleRef": role | {"apiGroup": "rbac.authorization.k8s.io"},
            },
        )

    def token(self, account: str = "deployer") -> str:
        answer = self.server.ask(
            "POST", f"{self.path}/serviceaccounts/{account}/token", {"spec": {"expirationSeconds": 3600}}
        )
        return str(answer["status"]["token"])

    def secret_object(self, account: str = "deployer") -> Object:
        """The Secret of a service account, made as one has to since 1.24, filled in by the controller."""
        metadata = {"name": f"{account}-token", "annotations": {"kubernetes.io/service-account.name": account}}
        self.server.ask(
            "POST",
            f"{self.path}/secrets",
            {"metadata": metadata, "type": "kubernetes.io/service-account-token"},
        )
        found: Object = until(lambda: self._filled(f"{account}-token"))
        return found

    def _filled(self, name: str) -> Object | None:
        found = self.server.ask("GET", f"{self.path}/secrets/{name}")
        return found if (found.get("data") or {}).get("token") else None

    def connection(self, token: str = "", *, name: str = "cluster", **data: str) -> Connection:
        """A connection with a token of the namespace's service account."""
        return Connection(
            id=f"id-{name}",
            name=name,
            type="kubernetes",
            url=self.server.url,
            scheme="Token",
            parameters={
                "apitoken": Secret(base64.b64encode((token or self.token()).encode()).decode()),
                "serviceAccountCertificate": Secret(base64.b64encode(self.server.authority.path.read_bytes()).decode()),
            },
            data={"authorizationType": "ServiceAccount", "namespace": self.name, **data},
        )

    def get(self, kind: str, name: str) -> Object:
        """An object of the namespace: `deployments`, `replicasets` and their like, or of the core group."""
        base = self.apps if kind.endswith("sets") or kind == "deployments" else self.path
        return self.server.ask("GET", f"{base}/{kind}/{name}")

    def names(self, kind: str) -> set[str]:
        base = self.apps if kind.endswith("sets") or kind == "deployments" else self.path
        return {str(one["metadata"]["name"]) for one in self.server.ask("GET", f"{base}/{kind}")["items"]}


def until(answer: Callable[[], Any], seconds: float = START_SECONDS) -> Any:
    """What `answer` gives once that is something."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := answer()):
        assert time.monotonic() < end, "it did not happen in time"
        pause.wait(0.05)
    return found


@pytest.fixture(scope="session")
def programs() -> Path:
    """Where the programs of Kubernetes are."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(os.environ.get("SLUICE_TEST_SERVERS") or f"{cache}/sluice-test-servers") / "kubernetes"
    if not (folder / "built").is_file():
        reason = f"there is no Kubernetes API server in {folder}; build one with: {BUILD}"
        if os.environ.get("SLUICE_REQUIRE_REAL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(scope="session")
def api_server(programs: Path, require_program: FindProgram) -> Iterator[ApiServer]:
    etcd = require_program("etcd", "apt-get install etcd-server")
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="sluice-kubernetes-")))
        server = _start(running, etcd, programs, folder)
        node = threading.Thread(target=_be_a_node, args=(server, stop := threading.Event()), daemon=True)
        running.callback(node.join, 10)
        running.callback(stop.set)
        node.start()
        yield server


@pytest.fixture(scope="session")
def shop(api_server: ApiServer) -> Namespace:
    return api_server.namespace("shop")


def _start(running: contextlib.ExitStack, etcd: Path, programs: Path, folder: Path) -> ApiServer:
    authority, clients, signer = (Authority(_made(folder / name)) for name in ("server", "clients", "signer"))
    client_port, peer_port, port = _free_ports(3)
    store = f"http://127.0.0.1:{client_port}"
    _run(
        running,
        folder,
        etcd,
        f"--data-dir={folder}/etcd",
        f"--listen-client-urls={store}",
        f"--advertise-client-urls={store}",
        f"--listen-peer-urls=http://127.0.0.1:{peer_port}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}",
        f"--initial-cluster=default=http://127.0.0.1:{peer_port}",
        "--unsafe-no-fsync",
    )
    certificate, key = authority.issue("apiserver", folder)
    account_certificate, account_key = signer.issue("accounts", folder)
    (folder / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n')
    url = f"https://127.0.0.1:{port}"
    process = _run(
        running,
        folder,
        programs / "kube-apiserver",
        f"--etcd-servers={store}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--client-ca-file={clients.path}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder}/tokens.csv",
        f"--service-account-issuer={url}",
        f"--service-account-key-file={account_certificate}",
        f"--service-account-signing-key-file={account_key}",
        "--service-cluster-ip-range=10.99.0.0/16",
        f"--cert-dir={folder}",
        "--disable-admission-plugins=ServiceAccount",
    )
    server = ApiServer(url, authority, programs, clients)
    until(lambda: _is_ready(server, process, folder))
    (folder / "admin.json").write_text(json.dumps(server.kubeconfig({"token": ADMIN})))
    _run(
        running,
        folder,
        programs / "kube-controller-manager",
        f"--kubeconfig={folder}/admin.json",
        f"--root-ca-file={authority.path}",
        f"--service-account-private-key-file={account_key}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--controllers=deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,"
        "job-controller,serviceaccount-controller,serviceaccount-token-controller,"
        "root-ca-certificate-publisher-controller,namespace-controller,garbage-collector-controller,"
        "clusterrole-aggregation-controller",
    )
    # the roles that everybody knows are put together by a controller
    until(lambda: server.ask("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/admin").get("rules"))
    return server


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _run(running: contextlib.ExitStack, folder: Path, program: Path, *arguments: str) -> subprocess.Popen[bytes]:
    log = running.enter_context((folder / f"{program.name}.log").open("wb"))
    process = subprocess.Popen(
        [program, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True
    )
    running.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()  # nothing of it is kept: there is no need to wait for an orderly end
    process.wait()


def _is_ready(server: ApiServer, process: subprocess.Popen[bytes], folder: Path) -> bool:
    if process.poll() is not None:
        pytest.fail(f"kube-apiserver ended: {(folder / 'kube-apiserver.log').read_text()[-3000:]}")
    request = urllib.request.Request(f"{server.url}/readyz", headers={"Authorization": f"Bearer {ADMIN}"})
    context = ssl.create_default_context(cafile=str(server.authority.path))
    try:
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            return bool(answer.read() == b"ok")
    except OSError:
        return False


def _be_a_node(server: ApiServer, stop: threading.Event) -> None:
    """What a kubelet reports, of every pod that nobody has reported on yet."""
    while not stop.wait(0.05):
        with contextlib.suppress(OSError):
            for pod in server.ask("GET", "/api/v1/pods?fieldSelector=status.phase=Pending")["items"]:
                _report(server, pod)


def _report(server: ApiServer, pod: Object) -> None:
    images = [one["image"] for one in pod["spec"]["containers"]]
    if any(image.startswith(BROKEN) for image in images) or pod["metadata"].get("deletionTimestamp"):
        return
    metadata = pod["metadata"]
    conditions = [
        {"type": name, "status": "True", "lastTransitionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        for name in ("Initialized", "ContainersReady", "Ready", "PodScheduled")
    ]
    server.ask(
        "PATCH",
        f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status",
        {"status": {"phase": "Running", "conditions": conditions}},
        "application/merge-patch+json",
    )
