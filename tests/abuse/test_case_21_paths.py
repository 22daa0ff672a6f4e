"""Case 21: names that are paths, and archives that lead out of their folder."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.abuse.conftest import Sluice

ID = "5f1f7c3e-0000-4000-8000-000000000001"
LINK = 0o120777 << 16
"""The mode of a symbolic link, as zips keep it."""


def archive(path: Path, *members: tuple[str, str, int], **more: object) -> str:
    manifest = {"id": ID, "name": "Evil", "version": {"Major": 1}, "execution": {"Node20_1": {"target": "main.js"}}}
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("task.json", json.dumps(manifest | more))
        file.writestr("main.js", "")
        for name, content, mode in members:
            member = zipfile.ZipInfo(name)
            member.external_attr = mode
            file.writestr(member, content)
    return str(path)


def everything(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if "home" not in path.relative_to(folder).parts}


@pytest.mark.parametrize(
    "members",
    [
        [("../../../evil", "x", 0)],
        [("/tmp/sluice-evil-path", "x", 0)],
        [("..\\..\\evil", "x", 0)],
        [("C:\\evil", "x", 0)],
        [("link", "/etc", LINK)],
        [("link", "..", LINK), ("link/evil", "x", 0)],
    ],
)
def test_an_archive_writes_nothing_outside(sluice: Sluice, members: list[tuple[str, str, int]]) -> None:
    sluice("task", "list")
    before = everything(sluice.folder) | {sluice.folder / "evil.zip"}
    sluice("task", "install", archive(sluice.folder / "evil.zip", *members), status=2)
    assert everything(sluice.folder) == before
    assert not Path("/tmp/sluice-evil-path").exists()
    assert sluice.json("task", "list") == []


@pytest.mark.parametrize("more", [{"id": "../../evil"}, {"id": "a/b"}, {"name": "../evil"}, {"name": "a/b"}])
def test_a_task_is_called_by_no_path(sluice: Sluice, more: dict[str, object]) -> None:
    sluice("task", "install", archive(sluice.folder / "evil.zip", **more), status=2)
    assert sluice.json("task", "list") == []


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/b", "..", "a\\b"])
def test_a_file_with_secrets_is_called_by_no_path(sluice: Sluice, name: str) -> None:
    content = sluice.folder / "content"
    content.write_text("s3cret-content")
    before = everything(sluice.folder)
    result = sluice.run("secure-file", "upload", str(content), "--name", name)
    assert result.returncode == 2
    assert "is a path" in result.stderr
    assert everything(sluice.folder) == before


@pytest.mark.parametrize("name", ["../../evil", "/tmp/sluice-evil-artifact", "a/../../../evil"])
def test_an_artifact_is_called_by_no_path(sluice: Sluice, name: str) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text(
        "steps:\n- checkout: none\n"
        f"- script: 'echo x > file; echo \"##vso[artifact.upload artifactname={name}]$PWD/file\"'\n"
    )
    before = everything(sluice.folder)
    sluice.run("run", "--non-interactive")
    assert everything(sluice.folder) == before
    assert not [path for path in sluice.home.rglob("*evil*") if "_temp" not in path.parts]
    assert not Path("/tmp/sluice-evil-artifact").exists()
