"""Extensions (`.vsix`): what they are called, the tasks in them, and what else they contribute."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sluice.errors import UsageError
from sluice.runtime.packages import archive
from sluice.runtime.packages.lock_file import Installed
from sluice.runtime.packages.store import TaskStore, task_folders
from sluice.runtime.packages.tolerant_json import MAX_BYTES, field, parse_json, text_of
from sluice.values import dataclass

TASK = "ms.vss-distributed-task.task"
CONNECTION_TYPE = "ms.vss-endpoint.service-endpoint-type"
MAX_CONTRIBUTIONS = 1000

_MANIFEST = "extension.vsomanifest"
_SOURCE_MANIFEST = "vss-extension.json"
_IDENTITY = "extension.vsixmanifest"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,127}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """One thing that an extension offers; `type` says what, `properties` are as written."""

    id: str
    type: str
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """An extension as its manifests describe it."""

    publisher: str
    id: str
    version: str
    name: str
    contributions: tuple[Contribution, ...]

    @property
    def full_name(self) -> str:
        """`publisher.extension`."""
        return f"{self.publisher}.{self.id}"

    @property
    def connection_types(self) -> tuple[Contribution, ...]:
        """Those that describe a type of service connection."""
        return tuple(one for one in self.contributions if one.type == CONNECTION_TYPE)


def read_extension(opened: archive.Archive, where: str) -> Extension:
    """The extension in an archive; raises `UsageError` when it is none."""
    manifest = next((name for name in (_MANIFEST, _SOURCE_MANIFEST) if name in opened.names), None)
    if manifest is None:
        raise UsageError("this is no extension", where=where, why=f"there is no {_MANIFEST} in it")
    values = parse_json(opened.read(manifest, MAX_BYTES), where=f"{where}/{manifest}", what="extension's manifest")
    identity = _identity(opened, where) if _IDENTITY in opened.names else {}
    parts = {
        "publisher": identity.get("publisher") or text_of(field(values, "publisher")),
        "id": identity.get("id") or text_of(field(values, "id")) or text_of(field(values, "extensionId")),
    }
    for name, text in parts.items():
        if _NAME.match(text) is None:
            raise UsageError(f"the extension's {name} is missing or has characters that are not allowed", where=where)
    return Extension(
        **parts,
        version=identity.get("version") or text_of(field(values, "version")),
        name=text_of(field(values, "name")) or parts["id"],
        contributions=tuple(_contributions(values, where)),
    )


def install_tasks(
    store: TaskStore, opened: archive.Archive, extension: Extension, *, source: str, preferred: bool | None
) -> list[tuple[Installed, bool]]:
    """Install every task that the extension contributes; answers them, and whether each is new."""
    done: list[tuple[Installed, bool]] = []
    try:
        for contribution, folder in _tasks(opened, extension):
            done.append(
                store.install(
                    lambda target, folder=folder: opened.extract(folder, target),  # type: ignore[misc]  # bound at once
                    source=source,
                    extension=extension.full_name,
                    contribution=contribution,
                    preferred=preferred,
                )
            )
    except BaseException:  # all of it or nothing
        brought = [entry for entry, new in done if new]
        store.remove(lambda one: one in brought)
        raise
    return done


def _tasks(opened: archive.Archive, extension: Extension) -> list[tuple[str, str]]:
    """The contribution and the folder of each task; one folder may hold several versions in folders of their own."""
    folders = task_folders(opened)
    found = []
    for one in extension.contributions:
        if one.type != TASK:
            continue
        name = text_of(field(one.properties, "name")).strip().strip("/").replace("\\", "/")
        mine = [folder for folder in folders if folder == name or folder.startswith(f"{name}/")]
        if not name or not mine:
            raise UsageError(f"the extension has no task in '{name}'", why=f"its contribution '{one.id}' names it")
        found += [(one.id, folder) for folder in mine]
    return found


def _contributions(values: Mapping[str, Any], where: str) -> Sequence[Contribution]:
    written = field(values, "contributions")
    found = [one for one in written if isinstance(one, dict)] if isinstance(written, list) else []
    if len(found) > MAX_CONTRIBUTIONS:
        raise UsageError(
            f"the extension contributes {len(found)} things", where=where, why=f"at most {MAX_CONTRIBUTIONS}"
        )
    return [
        Contribution(
            id=text_of(field(one, "id")).rpartition(".")[2],
            type=text_of(field(one, "type")),
            properties=properties if isinstance(properties := field(one, "properties"), dict) else {},
        )
        for one in found
    ]


def _identity(opened: archive.Archive, where: str) -> Mapping[str, str]:
    """Publisher, id and version as the `.vsix` says them outside of the extension's own manifest."""
    from xml.etree import ElementTree as ET

    text = opened.read(_IDENTITY, MAX_BYTES).decode("utf-8-sig", "replace")
    # No entities: they could unfold to anything.
    if "<!" in re.sub(r"<!--.*?(?:-->|\Z)", "", text, flags=re.DOTALL).replace("<![CDATA[", ""):
        raise UsageError("the extension's manifest declares entities", where=f"{where}/{_IDENTITY}")
    try:
        root = ET.fromstring(text)  # noqa: S314  # nothing is declared in it, see above
    except (ET.ParseError, ValueError) as error:
        raise UsageError("the extension's manifest is invalid", where=f"{where}/{_IDENTITY}", why=str(error)) from None
    for element in root.iter():
        if element.tag.rpartition("}")[2] == "Identity":
            return {name.lower(): value for name, value in element.attrib.items()}
    return {}
