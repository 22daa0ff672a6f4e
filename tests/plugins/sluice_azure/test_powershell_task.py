"""`AzurePowerShell@5`: what PowerShell is started with. A program of the tests stands in its place, and tells."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.plugins.sluice_azure.conftest import KEY, PEM

from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_azure._cli_task import quoted

if TYPE_CHECKING:
    from tests.plugins.sluice_azure.conftest import World

    from sluice.connections.connection import ConnectionRecord

PWSH = """#!/bin/bash
given=$(cat)
file=$(sed "s/^\\. '\\(.*\\)'$/\\1/" <<< "${@: -1}")
{ echo "arguments: $*"; stat -c 'mode: %a' "$file"; cat "$file"; echo; } > "$TELL"
printf %s "$given" | sha256sum > "$TELL.given"
cp "$(grep -o "'[^']*\\.pfx'" "$file" | tr -d "'")" "$TELL.pfx" 2>/dev/null
echo "working in $PWD"
[ -n "$SAY_ERROR" ] && echo oops >&2
exit "${STATUS:-0}"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "pwsh"
    program.write_text(PWSH)
    program.chmod(0o755)
    (tmp_path / "sources").mkdir()
    return tmp_path


def run(
    world: World,
    place: Path,
    record: ConnectionRecord,
    inputs: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> TaskOutcome:
    given = {
        "ScriptType": "InlineScript",
        "Inline": "Get-AzContext",
        "TargetAzurePs": "LatestVersion",
        **(inputs or {}),
    }
    base = {"PATH": f"{place}/bin:{os.environ['PATH']}", "TELL": str(place / "told"), **(environment or {})}
    connections = {"ConnectedServiceNameARM": world.open(record)}
    return run_task(
        "AzurePowerShell@5", connections=connections, inputs=given, sources=place / "sources", environment=base
    )


def told(place: Path) -> str:
    return (place / "told").read_text()


def was_given(place: Path, text: str) -> bool:
    return (place / "told.given").read_text().startswith(hashlib.sha256(text.encode()).hexdigest())


def test_a_secret_is_given_on_standard_input_alone(world: World, place: Path) -> None:
    done = run(world, place, world.create())
    assert done.result == "Succeeded", done.log
    assert was_given(place, KEY)
    assert KEY not in told(place)
    assert "mode: 600" in told(place)
    assert "Connect-AzAccount -ServicePrincipal -Tenant '11111111" in told(place)
    assert "Set-AzContext -SubscriptionId '22222222" in told(place)
    assert told(place).rstrip().endswith("Get-AzContext")
    assert f"working in {place}/sources" in done.lines


def test_federation_gives_a_fresh_token(world: World, place: Path) -> None:
    done = run(world, place, world.create("WorkloadIdentityFederation"))
    assert done.result == "Succeeded", done.log
    assert "-FederatedToken $sluiceGiven" in told(place)
    assert "eyJ" not in told(place)


def test_a_certificate_is_a_sealed_file_meanwhile(world: World, place: Path) -> None:
    kind = {"authenticationType": "spnCertificate"}
    done = run(world, place, world.create(values=kind, secrets={"servicePrincipalCertificate": PEM}))
    assert done.result == "Succeeded", done.log
    assert (place / "told.pfx").stat().st_size > 1000
    assert b"PRIVATE KEY" not in (place / "told.pfx").read_bytes()
    path = told(place).partition("-CertificatePath '")[2].partition("'")[0]
    assert path.endswith(".pfx")
    assert not Path(path).exists()


def test_the_identity_of_the_machine_needs_nothing(world: World, place: Path) -> None:
    assert run(world, place, world.create("ManagedServiceIdentity")).result == "Succeeded"
    assert was_given(place, "")
    assert "Connect-AzAccount -Identity -Environment 'AzureCloud'" in told(place)


def test_a_script_file_gets_its_arguments_and_a_version_its_module(world: World, place: Path) -> None:
    (place / "sources" / "it's.ps1").write_text("$true")
    inputs = {"ScriptType": "FilePath", "ScriptPath": "it's.ps1", "ScriptArguments": "-Size 3"}
    inputs |= {"TargetAzurePs": "OtherVersion", "CustomTargetAzurePs": "12.1.0"}
    assert run(world, place, world.create(), inputs).result == "Succeeded"
    assert f". '{place}/sources/it''s.ps1' -Size 3" in told(place)
    assert "Import-Module Az -RequiredVersion 12.1.0" in told(place)


@pytest.mark.parametrize(
    ("text", "literal"),
    [("a", "'a'"), ("it's", "'it''s'"), ("\u2019; rm", "'\u2019\u2019; rm'"), ("\u201b", "'\u201b\u201b'")],
)
def test_a_literal_ends_where_it_should(text: str, literal: str) -> None:
    assert quoted(text) == literal


@pytest.mark.parametrize(
    ("inputs", "environment", "message"),
    [
        ({}, {"STATUS": "3"}, "PowerShell exited with code '3'"),
        ({"FailOnStandardError": "true"}, {"SAY_ERROR": "1"}, "to the standard error stream"),
        ({"errorActionPreference": "never"}, {}, "Invalid ErrorActionPreference"),
        ({"ScriptType": "FilePath", "ScriptPath": "nothing.ps1"}, {}, "A path to a .ps1 file is required"),
        ({"TargetAzurePs": "OtherVersion", "CustomTargetAzurePs": "1; rm"}, {}, "is no version of Azure PowerShell"),
        ({}, {"PATH": "/nowhere"}, "Unable to locate executable file: 'pwsh'"),
    ],
)
def test_what_goes_wrong_fails_the_step(
    world: World, place: Path, inputs: dict[str, str], environment: dict[str, str], message: str
) -> None:
    done = run(world, place, world.create(), inputs, environment)
    assert done.result == "Failed"
    assert message in done.message
