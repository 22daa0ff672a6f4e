"""The command line of Azure with its extension for Azure DevOps, unmodified: `az devops`, `az pipelines`.

The extension takes addresses of Azure DevOps alone. Up to version 1.0.6 it looks at how they end; newer ones cannot be
pointed here without a certificate for `dev.azure.com`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.clients.conftest import Server, serving
from tests.clients.programs import missing, program

ORGANIZATION = "sluice.visualstudio.com"
NEWEST = (1, 0, 6)
SECONDS = 100
Az = Callable[..., Any]


@pytest.fixture(scope="module")
def named_server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with serving(tmp_path_factory.mktemp("home") / "state", "--organization", ORGANIZATION) as server:
        yield server


@pytest.fixture(scope="module")
def az(named_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Az:
    """Runs `az`, and answers what it prints as JSON."""
    path = program("az", "apt-get install azure-cli")
    folder = tmp_path_factory.mktemp("az")
    environment = {
        **os.environ,
        "AZURE_CONFIG_DIR": str(folder / "config"),
        "AZURE_DEVOPS_CACHE_DIR": str(folder / "cache"),
        "AZURE_DEVOPS_EXT_PAT": named_server.token,
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "AZURE_DEVOPS_EXT_GITHUB_PAT": "ghp_correcthorsebatterystaple",
    }

    def run(*arguments: str, plain: bool = False) -> Any:
        where = () if plain else ("--organization", f"{named_server.url}/{ORGANIZATION}")
        done = subprocess.run(
            [path, *arguments, *where, "--output", "json"],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    version = str(run("version", plain=True).get("extensions", {}).get("azure-devops", ""))
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if not found or found > NEWEST:
        missing(f"the extension azure-devops of az is '{version}': up to 1.0.6 is needed")
    return run


def test_connections_are_made_opened_to_all_and_deleted(az: Az) -> None:
    made = az(
        "devops",
        "service-endpoint",
        "github",
        "create",
        "--name",
        "gh",
        "--github-url",
        "https://github.com/x/y",
        "-p",
        "default",
    )
    assert made["name"] == "gh"
    assert [one["name"] for one in az("devops", "service-endpoint", "list", "-p", "default")] == ["gh"]
    assert az("devops", "service-endpoint", "show", "--id", made["id"], "-p", "default")["type"] == "github"
    az("devops", "service-endpoint", "update", "--id", made["id"], "--enable-for-all", "true", "-p", "default")
    az("devops", "service-endpoint", "delete", "--id", made["id"], "--yes", "-p", "default")
    assert az("devops", "service-endpoint", "list", "-p", "default") == []


def test_a_pipeline_is_run_and_its_run_is_shown(az: Az, named_server: Server, tmp_path: Path) -> None:
    file = tmp_path / "from-az.yml"
    file.write_text("parameters:\n- name: who\n  default: nobody\nsteps:\n- script: echo ${{ parameters.who }}\n")
    named_server.sluice("pipeline", "create", "from-az", str(file))
    assert "from-az" in {one["name"] for one in az("pipelines", "list", "-p", "default")}
    run = az("pipelines", "run", "--name", "from-az", "-p", "default")
    assert az("pipelines", "runs", "show", "--id", str(run["id"]), "-p", "default")["definition"]["name"] == "from-az"
    assert [one["id"] for one in az("pipelines", "runs", "list", "-p", "default")] == [run["id"]]
    with_parameters = az("pipelines", "run", "--name", "from-az", "--parameters", "who=az", "-p", "default")
    assert with_parameters["id"] > run["id"]


def test_any_resource_is_asked_by_its_area_and_name(az: Az) -> None:
    found = az("devops", "invoke", "--area", "serviceendpoint", "--resource", "types", "--api-version", "6.0-preview")
    assert found["count"] > 10
