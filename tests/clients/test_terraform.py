"""Terraform with its provider for Azure DevOps, unmodified: apply, no drift after it, a change, destroy.

The provider is no Debian package, and its module is not at every Go proxy: `SLUICE_TEST_TERRAFORM_PROVIDER` names the folder
of a `terraform-provider-azuredevops` that was built (`go build` in a checkout of it).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.clients.conftest import Server
from tests.clients.programs import missing, program

PROVIDER = "SLUICE_TEST_TERRAFORM_PROVIDER"
SECONDS = 110
CHANGES = 2
"""The exit status of a plan that would change something."""

Terraform = Callable[..., int]


@pytest.fixture
def terraform(server: Server, tmp_path: Path) -> Terraform:
    """Runs a command of terraform, and answers its exit status."""
    folder = Path(os.environ.get(PROVIDER, "/nowhere"))
    if not (folder / "terraform-provider-azuredevops").is_file():
        pytest.skip(f"{PROVIDER} names no folder with terraform-provider-azuredevops")
    path = program("terraform", "see developer.hashicorp.com/terraform/install") or missing("terraform")
    shutil.copy(Path(__file__).with_name("main.tf"), tmp_path)
    (tmp_path / "terraformrc").write_text(
        f'provider_installation {{\n  dev_overrides {{ "microsoft/azuredevops" = "{folder}" }}\n  direct {{}}\n}}\n'
    )
    environment = {
        **os.environ,
        "TF_CLI_CONFIG_FILE": str(tmp_path / "terraformrc"),
        "TF_VAR_url": server.collection,
        "TF_VAR_token": server.token,
        "CHECKPOINT_DISABLE": "1",
    }

    def run(*arguments: str) -> int:
        done = subprocess.run(
            [path, *arguments, "-no-color", "-input=false"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode in {0, CHANGES}, done.stderr
        return done.returncode

    return run


@pytest.mark.timeout(400)
def test_what_is_applied_stays_as_it_is_and_is_destroyed(terraform: Terraform, server: Server) -> None:
    assert terraform("apply", "-auto-approve") == 0
    assert "made by terraform" in server.sluice("connection", "show", "depot")
    assert terraform("plan", "-detailed-exitcode") == 0
    assert terraform("apply", "-auto-approve", "-var", "description=changed by terraform") == 0
    assert "changed by terraform" in server.sluice("connection", "show", "depot")
    assert terraform("destroy", "-auto-approve") == 0
    assert "depot" not in server.sluice("connection", "list")
