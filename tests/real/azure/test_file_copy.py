"""`AzureFileCopy@6` against Azurite, under the name of a storage account."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.real.azure.conftest import World

from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_azure import _blobs

if TYPE_CHECKING:
    from tests.conftest import Giver

    from sluice.plugin import Connection

pytestmark = pytest.mark.real

AZURITE = "3.37.0"
INSTALL = "apt-get install nodejs npm"
START_SECONDS = 30


@pytest.fixture(scope="session")
def azurite(require_program: Callable[[str, str], Path], request: pytest.FixtureRequest) -> Path:
    """Azurite's blob service from npm, kept in pytest's cache."""
    require_program("node", INSTALL)
    npm = require_program("npm", INSTALL)
    assert request.config.cache is not None
    place = Path(request.config.cache.mkdir("azurite")) / AZURITE
    if not (place / "complete").exists():
        place.mkdir(parents=True, exist_ok=True)
        arguments = [str(npm), "install", "--prefix", str(place), "--no-audit", "--no-fund", f"azurite@{AZURITE}"]
        got = subprocess.run(arguments, capture_output=True, text=True, timeout=110, check=False)
        if got.returncode != 0:
            reason = f"npm cannot install azurite {AZURITE}: {got.stderr[-500:]}"
            if os.environ.get("SLUICE_REQUIRE_REAL") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        (place / "complete").touch()
    return place / "node_modules" / ".bin" / "azurite-blob"


@pytest.fixture
def storage(world: World, azurite: Path, tmp_path: Path) -> Iterator[None]:
    """The account `depot`, which wants tokens of Entra."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key = base64.b64encode(b"key of the account").decode()
    arguments = [str(azurite), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--oauth", "basic", "--silent"]
    arguments += ["--cert", str(tmp_path / "azure.pem"), "--key", str(tmp_path / "azure.key"), "--inMemoryPersistence"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AZURITE_ACCOUNTS": f"depot:{key}"}
    with subprocess.Popen([*arguments, "--disableTelemetry"], env=environment, cwd=tmp_path) as process:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _listens(port):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            world.others[".blob.core.windows.net"] = port
            yield
        finally:
            process.send_signal(signal.SIGTERM)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    (folder / "site" / "img").mkdir(parents=True)
    (folder / "site" / "index.html").write_text("<p>hello</p>")
    (folder / "site" / "img" / "a b.png").write_bytes(b"\x89PNG")
    (folder / "readme.txt").write_text("read me")
    return folder


def copy(connection: Connection, sources: Path, inputs: Mapping[str, str]) -> TaskOutcome:
    given = {"Destination": "AzureBlob", "StorageAccountRM": "depot", "ContainerName": "site", **inputs}
    return run_task(
        "AzureFileCopy@6", connections={"ConnectedServiceNameARM": connection}, inputs=given, sources=sources
    )


def stored(world: World, connection: Connection) -> dict[str, str]:
    """What is in the container: content types by name, as a client sees them that is not ours."""
    import requests

    token = connection.access_token("https://storage.azure.com/.default").reveal()
    headers = {"Authorization": f"Bearer {token}", "x-ms-version": "2021-12-02"}
    url = "https://depot.blob.core.windows.net/site"
    listed = requests.get(f"{url}?restype=container&comp=list", headers=headers, timeout=10)
    names = [part.partition("</Name>")[0] for part in listed.text.split("<Name>")[1:]]
    found = {}
    for name in names:
        found[name] = requests.get(f"{url}/{name}", headers=headers, timeout=10).headers["Content-Type"]
    return found


def test_files_and_folders_become_blobs(
    world: World, storage: None, sources: Path, evidence: Giver, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = world.open(world.create())
    done = copy(connection, sources, {"SourcePath": "site"})
    assert done.result == "Succeeded", done.log
    assert done.outputs["StorageContainerUri"] == "https://depot.blob.core.windows.net/site/"
    assert stored(world, connection) == {"site/img/a b.png": "image/png", "site/index.html": "text/html"}
    evidence("azurerm", "ServicePrincipal", "used", "Azurite, Azure (double)", task="AzureFileCopy@6")
    inputs = {
        "SourcePath": "site/*",
        "BlobPrefix": "v2",
        "AdditionalArgumentsForBlobCopy": "--put-md5 --content-type=text/plain",
    }
    assert copy(connection, sources, inputs).result == "Succeeded"
    assert stored(world, connection)["v2/img/a b.png"] == "text/plain"
    monkeypatch.setattr(_blobs, "BLOCK_BYTES", 3)  # so that seven bytes are three blocks
    clean = {"SourcePath": f"{sources}/*.txt", "CleanTargetBeforeCopy": "true"}
    assert copy(connection, sources, clean).result == "Succeeded"
    assert stored(world, connection) == {"readme.txt": "text/plain"}


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"SourcePath": "nothing"}, "there is nothing to copy"),
        ({"SourcePath": "site", "Destination": "AzureVMs"}, "not to virtual machines"),
        ({"SourcePath": "site", "StorageAccountRM": "evil.example/x"}, "is no storage account"),
        (
            {"SourcePath": "site", "AdditionalArgumentsForBlobCopy": "--s2s-x=1"},
            "'--s2s-x=1' of azcopy is not supported",
        ),
    ],
)
def test_what_cannot_be_is_told_and_nobody_is_asked(
    world: World, sources: Path, inputs: dict[str, str], told: str
) -> None:
    done = copy(world.open(world.create()), sources, inputs)
    assert done.result == "Failed"
    assert told in done.message
    assert world.azure.calls_by_host == []
