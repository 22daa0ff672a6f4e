"""`examples/azure` as a person runs it, against Azure as a double; and what a run leaves behind however it ends."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.doubles.azure_deployments import Deployments
from tests.doubles.azure_vault import StoredSecret, Vault
from tests.doubles.entra import Application, FederatedCredential
from tests.plugins.sluice_azure.conftest import CERTIFICATE, ISSUER, KEY, PEM
from tests.real.azure.conftest import ProcessWatch, World

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("az")]

EXAMPLE = Path(__file__).parents[3] / "examples" / "azure"
OWNER = "owner-of-the-depot-0123"


class Installation:
    """The state folder of the world's store, as commands see it."""

    def __init__(self, world: World, folder: Path) -> None:
        self.folder = folder
        self.home = world.home.root
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "PYTEST"))}
        self.environment = kept | {"SLUICE_HOME": str(self.home), "SLUICE_ISSUER_URL": ISSUER}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "sluice", *arguments],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, *arguments: str, status: int = 0) -> str:
        with self.start(*arguments) as process:
            printed, _ = process.communicate(timeout=100)
        assert process.returncode == status, printed
        return printed

    def holds(self, text: str) -> list[Path]:
        """The files of the state and work folders in which a text stands as it is."""
        found = []
        for path in self.home.rglob("*"):
            with contextlib.suppress(OSError):  # a run that goes on removes files meanwhile
                if path.is_file() and text.encode() in path.read_bytes():
                    found.append(path)
        return found


@pytest.fixture
def example(world: World, tmp_path: Path) -> Installation:
    folder = tmp_path / "azure"
    shutil.copytree(EXAMPLE, folder)
    application = Application(id="33333333-4444-5555-6666-777777777777")
    application.federated.append(FederatedCredential(ISSUER, "sc://local/default/azure-prod"))
    world.azure.entra.register(application)
    world.azure.readers.add(application.id)
    Vault(world.azure).secrets["storage-owner"] = StoredSecret(OWNER)
    return Installation(world, folder)


def test_the_example_deploys_and_looks_at_it(
    world: World, example: Installation, watched: Callable[[dict[str, str]], ProcessWatch]
) -> None:
    deployments = Deployments(world.azure, world.management)
    example("connection", "apply", "connections.yml")
    assert "reaches the subscription" in example("connection", "verify", "azure-prod")
    with watched({"owner": OWNER, "token": "eyJ"}) as watch:
        printed = example("run", "--non-interactive", "--permit", "azure-prod")
    assert "deployed depot, groups of that name: 1" in printed
    (body,) = deployments.deployed.values()
    assert body["properties"]["parameters"]["owner"] == {"value": OWNER}
    assert watch.arguments == set()
    assert watch.environments == {}
    assert OWNER not in printed
    assert example.holds(OWNER) == []
    assert example.holds("eyJhbGciOiJSUzI1NiIs") == []
    assert "the audit log is whole" in example("audit", "verify")


def test_a_pipeline_without_a_permit_gets_no_token(world: World, example: Installation) -> None:
    example("connection", "apply", "connections.yml")
    example("run", "--non-interactive", status=4)
    assert world.azure.entra.assertions == []


PIPELINE = """
steps:
- checkout: none
- task: AzureCLI@2
  inputs: {azureSubscription: cloud, scriptType: bash, scriptLocation: inlineScript, addSpnToEnvironment: true,
    inlineScript: 'touch started; sleep 60'}
"""


@pytest.mark.parametrize("moment", ["log-in", "script"])
def test_what_a_killed_run_has_left_is_gone_when_the_next_one_starts(
    world: World, example: Installation, moment: str
) -> None:
    world.create()
    (example.folder / "azure-pipelines.yml").write_text(PIPELINE)

    def started() -> list[Path]:
        return list(example.home.rglob("started")) if moment == "script" else example.holds(KEY)

    with example.start("run", "--non-interactive", "--permit", "cloud") as process:
        while process.poll() is None and not started():
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    (example.folder / "azure-pipelines.yml").write_text("steps: [{bash: echo hello}]\n")
    example("run", "--non-interactive")
    assert example.holds(KEY) == []


def test_a_run_that_is_killed_at_any_moment_leaves_no_credential(world: World, example: Installation) -> None:
    world.application.certificates.append(CERTIFICATE)
    certificate = {"authenticationType": "spnCertificate"}
    world.create(name="cloud")
    world.create(values=certificate, name="certified", secrets={"servicePrincipalCertificate": PEM})
    key = PEM.partition("-----BEGIN PRIVATE KEY-----\n")[2].partition("\n")[0]
    for name in ("cloud", "certified"):
        (example.folder / "azure-pipelines.yml").write_text(PIPELINE.replace("cloud", name))
        seconds = random.uniform(1.0, 6.0)  # any moment will do
        with example.start("run", "--non-interactive", "--permit", name) as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            process.kill()
        (example.folder / "azure-pipelines.yml").write_text("steps: [{bash: echo hello}]\n")
        example("run", "--non-interactive")
        assert example.holds(KEY) == [], f"killed after {seconds} s"
        assert example.holds(key) == [], f"killed after {seconds} s"
