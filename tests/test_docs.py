"""What the documentation says is what there is: generated pages, the nav, and a tutorial that works."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import sluice.plugin
from sluice.hooks import spec
from sluice.hooks.manager import installed

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    found = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_every_hook_is_documented_under_its_exact_signature(generate: ModuleType) -> None:
    page: str = generate.hook_page()
    for name, function in vars(spec).items():
        if name.startswith("sluice_"):
            assert f"def {name}{inspect.signature(function)}".replace("'", "") in page
            assert inspect.getdoc(function), name
    assert [name for name in sluice.plugin.__all__ if f"### `{name}`\n" not in page] == []


def test_every_connection_type_has_its_page(generate: ModuleType) -> None:
    pages = dict(generate.pages())
    for kind in installed().types.values():
        page = pages[f"connection-types/{kind.name.lower()}.md"]
        for scheme in kind.schemes:
            assert f"(`{scheme.name}`)" in page
            assert [one.key for one in scheme.parameters if f"| `{one.key}` " not in page] == []
        assert [one.key for one in kind.data if f"| `{one.key}` " not in page] == []
        assert f"({kind.name.lower()}.md)" in pages["connection-types/index.md"]


def test_every_command_is_documented_with_its_example(generate: ModuleType) -> None:
    page: str = generate.command_page()
    for command in ("run", "connection create", "plugins new", "import classic"):
        assert f"## `sluice {command}`" in page
    assert "sluice plugins new acme-depot --label" in page


def test_the_nav_names_pages_that_there_are(generate: ModuleType) -> None:
    class Loader(yaml.SafeLoader):
        pass

    config = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)
    made = dict(generate.pages())
    named = list(re.findall(r"'([^']+(?:\.md|/))'", repr(config["nav"])))
    assert named
    missing = [one for one in named if not (DOCS / one).exists() and one not in made]
    assert [one for one in missing if not any(path.startswith(one) for path in made)] == []
    assert "docs/generate.py" in config["hooks"]


TUTORIAL = (DOCS / "plugin-tutorial.md").read_text()
DIFFS = re.findall(r"```diff\n(.*?)```", TUTORIAL, re.DOTALL)


def run(*arguments: str, where: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "PYTEST"))}
    return subprocess.run(
        arguments, cwd=where, env={**own, **environment}, capture_output=True, text=True, check=False, timeout=100
    )


def test_the_tutorial_works_as_it_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "sluice-acme-depot"
    env = {"SLUICE_HOME": str(tmp_path / "home"), "PYTHONPATH": str(folder)}

    def sluice(*arguments: str) -> str:
        done = run(sys.executable, "-m", "sluice", *arguments, where=folder if folder.exists() else tmp_path, **env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "sluice plugins new acme-depot --label 'Acme depot'\n" in TUTORIAL
    sluice("plugins", "new", "acme-depot", "--label", "Acme depot")
    info = folder / "sluice_acme_depot-0.1.0.dist-info"  # as an installation would
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sluice-acme-depot\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[sluice]\nacme-depot = sluice_acme_depot\n")
    assert "Region" not in sluice("connection", "types", "acme-depot")
    pytest_quietly = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "arrive or sound")
    results = []
    for diff in DIFFS:
        patch = tmp_path / "patch"
        patch.write_text(diff)
        applied = run("git", "apply", str(patch), where=folder)
        assert applied.returncode == 0, applied.stderr
        results.append(run(*pytest_quietly, where=folder, **env).returncode)
    assert results == [1, 0]  # the first change breaks a test, the second mends it
    assert "Region" in sluice("connection", "types", "acme-depot")
    sluice("validate", "example/azure-pipelines.yml")
