"""`CargoAuthenticate@0` with a real cargo, against a sparse registry that requires authentication."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.package_servers import USER, CargoRegistry, basic_of
from tests.doubles.web import served
from tests.real.packages.conftest import PASSWORD, Person

pytestmark = pytest.mark.real

PIPELINE = """
    steps:
    - task: CargoAuthenticate@0
      inputs:
        configFile: .cargo/config.toml
        cargoServiceConnections: crates
    - script: cd canary && cargo publish --registry our-crates --no-verify --allow-dirty
    - script: cd app && cargo generate-lockfile && cargo fetch && cat Cargo.lock
    - script: echo "token $CARGO_REGISTRIES_OUR_CRATES_TOKEN"
"""
CRATE = '[package]\nname = "{}"\nversion = "1.2.3"\nedition = "2021"\ndescription = "c"\nlicense = "MIT"\n'


def test_a_crate_is_published_and_fetched(
    person: Person, require_program: Callable[[str, str], Path], evidence: Giver
) -> None:
    require_program("cargo", "apt-get install cargo")
    registry = CargoRegistry(basic_of(USER, PASSWORD))
    registry.secrets = (PASSWORD, registry.accepted.partition(" ")[2])
    with served(registry):
        said = person.connect("crates", "externalcargorepository", f"{registry.url}/index/")
        assert "is a Cargo registry and accepts the user builder" in said
        person.write(
            {
                "azure-pipelines.yml": PIPELINE,
                ".cargo/config.toml": f'[registries.our-crates]\nindex = "sparse+{registry.url}/index/"\n',
                "canary/Cargo.toml": CRATE.format("sluice-canary"),
                "canary/src/lib.rs": "",
                "app/Cargo.toml": CRATE.format("app")
                + '[dependencies]\nsluice-canary = { version = "1", registry = "our-crates" }\n',
                "app/src/lib.rs": "",
            }
        )
        said = person.sluice("run")
    assert 'name = "sluice-canary"' in said
    assert "token ***" in said
    assert registry.complaints == []
    assert any(call.path.startswith("/dl/") for call in registry.calls)
    person.check()
    evidence("externalcargorepository", "UsernamePassword", "verified right", "Cargo registry (double)")
    evidence(
        "externalcargorepository",
        "UsernamePassword",
        "used",
        "cargo, Cargo registry (double)",
        task="CargoAuthenticate@0",
    )
