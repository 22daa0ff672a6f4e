"""The tree says what the packaging says: one entry point for each bundled family, and import rules for all of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FAMILIES = {folder.name for folder in (ROOT / "plugins").iterdir() if (folder / "__init__.py").exists()}


def test_every_bundled_family_has_its_entry_point() -> None:
    assert set(PROJECT["project"]["entry-points"]["sluice"].values()) == FAMILIES


def test_the_import_rules_know_every_bundled_family() -> None:
    rules = PROJECT["tool"]["importlinter"]
    assert set(rules["root_packages"]) == FAMILIES | {"sluice"}
    contracts = {contract["name"]: contract for contract in rules["contracts"]}
    assert set(contracts["no family imports another"]["modules"]) == FAMILIES
    plugins_only = contracts["a plugin imports sluice.plugin and nothing else of ours"]
    assert set(plugins_only["source_modules"]) == FAMILIES


def test_what_is_typed_says_so() -> None:
    roots = [ROOT / "agent" / "sluice", *(ROOT / "plugins" / family for family in FAMILIES)]
    assert all((root / "py.typed").exists() for root in roots)


def test_every_revision_of_the_schema_follows_another_one() -> None:
    from sluice.storage.revisions import REVISIONS

    files = sorted((ROOT / "agent" / "sluice" / "storage" / "migrations" / "versions").glob("[0-9]*.py"))
    assert [file.name[:4] for file in files] == list(REVISIONS)
    texts = [file.read_text() for file in files]
    assert all(f'\nrevision = "{number}"\n' in text for number, text in zip(REVISIONS, texts, strict=True))
    followed = zip(REVISIONS, texts[1:], strict=False)
    assert all(f'\ndown_revision = "{number}"\n' in text for number, text in followed)


def test_every_bundled_family_passes_what_any_plugin_should() -> None:
    left = [name for name in FAMILIES if not (ROOT / "tests" / "plugins" / name / "test_conformance.py").exists()]
    assert left == [], "see docs/plugin-testing.md"


def test_values_are_declared_the_quick_way() -> None:
    """A start declares hundreds of them, each half a millisecond with the standard library's decorator."""
    slow = re.compile(r"^\s*from dataclasses import .*\bdataclass\b", re.MULTILINE)
    core = ROOT / "agent" / "sluice"
    found = [path for path in core.rglob("*.py") if path.name != "values.py" and slow.search(path.read_text())]
    assert not found, "import dataclass from sluice.values instead: it is the same to everybody"
