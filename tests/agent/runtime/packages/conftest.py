"""Task packages on disk, as authors and attackers make them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ID = "5f1f7c3e-0000-4000-8000-000000000001"


class Packages:
    """Makes folders and archives with tasks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    @staticmethod
    def manifest(version: str = "1.2.3", **more: Any) -> dict[str, Any]:
        major, minor, patch = map(int, version.split("."))
        values = {
            "id": ID,
            "name": "Probe",
            "version": {"Major": major, "Minor": minor, "Patch": patch},
            "execution": {"Node20_1": {"target": "main.js"}},
        }
        taken = {name.lower() for name in more}
        return {name: value for name, value in values.items() if name.lower() not in taken} | more

    def write(self, version: str = "1.2.3", *, files: Mapping[str, str] | None = None, **more: Any) -> Path:
        """A folder."""
        self.count += 1
        package = self.folder / f"source{self.count}"
        package.mkdir(parents=True)
        (package / "task.json").write_text(json.dumps(self.manifest(version, **more)))
        (package / "main.js").write_text("console.log('hello')\n")
        for name, text in (files or {}).items():
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            (package / name).write_text(text)
        return package

    def zip(self, files: Mapping[str, str | bytes], name: str = "archive.zip") -> Path:
        """An archive with these files."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for one, content in files.items():
                file.writestr(one, content)
        return path

    def zip_raw(self, *members: tuple[zipfile.ZipInfo, bytes]) -> Path:
        """An archive with members as they are."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            for info, content in members:
                file.writestr(info, content)
        path = self.folder / "raw.zip"
        path.write_bytes(buffer.getvalue())
        return path


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    folder = tmp_path / "packages"
    folder.mkdir()
    return Packages(folder)
