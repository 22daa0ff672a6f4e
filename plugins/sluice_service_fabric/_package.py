"""What lies in the repository: application packages, publish profiles, files with parameters."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.plugin import TaskFailedError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MANIFEST = "ApplicationManifest.xml"
MARK = "_.dir"
"""The file that tells the image store that a folder is complete."""
_MAX_XML = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An application package: a folder with the manifest of a version of an application type."""

    folder: Path
    type: str
    version: str
    parameters: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Package:
        """Read the manifest; raises `TaskFailedError` where there is none or it is incomplete."""
        path = folder / MANIFEST
        if not path.is_file():
            raise TaskFailedError(
                "this is no application package",
                where=str(folder),
                why=f"it has no {MANIFEST}",
                do="name the folder that 'Package' of the Service Fabric project writes, such as pkg/Release",
            )
        root = parse(path)
        name, version = root.get("ApplicationTypeName", ""), root.get("ApplicationTypeVersion", "")
        if not name or not version:
            raise TaskFailedError("the manifest has no name or no version of the application type", where=str(path))
        declared = (one.get("Name", "") for one in root.iterfind("./{*}Parameters/{*}Parameter"))
        return cls(folder=folder, type=name, version=version, parameters=tuple(declared))

    def check(self) -> None:
        """Raise `TaskFailedError` when a service manifest that is named is not there, or has another version."""
        for one in parse(self.folder / MANIFEST).iterfind("./{*}ServiceManifestImport/{*}ServiceManifestRef"):
            name, version = one.get("ServiceManifestName", ""), one.get("ServiceManifestVersion", "")
            path = self.folder / name / "ServiceManifest.xml"
            if not name or not path.is_file() or not path.resolve().is_relative_to(self.folder.resolve()):
                raise TaskFailedError(f"the package has no service '{name}', which its manifest names", where=str(path))
            found = parse(path).get("Version", "")
            if found != version:
                why = f"the service's own manifest says {found}"
                raise TaskFailedError(f"the manifest wants version {version} of '{name}'", where=str(path), why=why)

    def files(self) -> Iterator[tuple[str, list[Path]]]:
        """Each folder, deepest first, as a path within the package, with its files."""
        for root, folders, names in os.walk(self.folder, topdown=False):
            here = Path(root)
            for name in (*folders, *names):
                if (here / name).is_symlink():
                    raise TaskFailedError("the package holds a link, which is not followed", where=str(here / name))
            relative = here.relative_to(self.folder).as_posix()
            yield "" if relative == "." else relative, [here / name for name in sorted(names)]

    def compressed(self, folder: Path) -> Package:
        """A copy with the packages of its services (code, configuration, data) as archives."""
        import shutil

        for service in sorted(self.folder.iterdir()):
            target = folder / service.name
            if not service.is_dir():
                shutil.copy2(service, target)
                continue
            target.mkdir(parents=True)
            for part in sorted(service.iterdir()):
                if part.is_dir():
                    _pack(part, target / f"{part.name}.zip")
                else:
                    shutil.copy2(part, target / part.name)
        return Package(folder=folder, type=self.type, version=self.version, parameters=self.parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A publish profile: which parameters, and how an application that exists is upgraded.

    `upgrade` holds the settings of an upgrade by the names that the task's inputs have; None where the profile wants
    none.
    """

    parameter_file: Path | None = None
    upgrade: Mapping[str, str] | None = None
    compress: bool = False
    copy_seconds: str = ""

    @classmethod
    def read(cls, path: Path) -> Profile:
        root = parse(path)
        named = root.find("./{*}ApplicationParameterFile")
        wanted = named.get("Path", "") if named is not None else ""
        copying = root.find("./{*}CopyPackageParameters")
        settings = copying.attrib if copying is not None else {}
        return cls(
            parameter_file=path.parent / wanted.replace("\\", "/") if wanted else None,
            upgrade=_upgrade(root.find("./{*}UpgradeDeployment")),
            compress=settings.get("CompressPackage", "").casefold() == "true",
            copy_seconds=settings.get("CopyPackageTimeoutSec", ""),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file with parameters: the application's name (`fabric:/Voting`) and its values."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Wanted:
        """Read it; raises `TaskFailedError` when it names no application."""
        root = parse(path)
        name = root.get("Name", "")
        if not name.startswith("fabric:/") or len(name) <= len("fabric:/"):
            raise TaskFailedError("the file names no application", where=str(path), why="its Name is no fabric:/ name")
        given = root.iterfind("./{*}Parameters/{*}Parameter")
        return cls(name=name, parameters={one.get("Name", ""): one.get("Value", "") for one in given})


def parse(path: Path) -> Element:
    """The root of an XML file; raises `TaskFailedError` when it is not there, too large, or no plain XML."""
    from xml.etree import ElementTree as ET

    try:
        content = path.read_bytes()
    except OSError as error:
        raise TaskFailedError(f"Not found: {path}", why=error.strerror or "") from error
    if len(content) > _MAX_XML or b"<!DOCTYPE" in content:
        raise TaskFailedError("the file is too large, or has a DOCTYPE", where=str(path))
    try:
        return ET.fromstring(content)  # noqa: S314  # without a DOCTYPE there are no entities
    except ET.ParseError as error:
        line, column = error.position
        raise TaskFailedError("the file is no XML", where=f"{path}:{line}:{column + 1}", why=str(error)) from error


def _upgrade(element: Element | None) -> Mapping[str, str] | None:
    if element is None or element.get("Enabled", "").casefold() != "true":
        return None
    parameters = element.find("./{*}Parameters")
    settings = dict(parameters.attrib) if parameters is not None else {}
    return {"UpgradeMode": element.get("Mode", "Monitored"), **settings}


def _pack(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_symlink():
                raise TaskFailedError("the package holds a link, which is not followed", where=str(path))
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
