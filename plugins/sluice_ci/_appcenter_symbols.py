"""Symbols for App Center: found by pattern, packed where they are several, put into the blob that the API names."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sluice.plugin import Probe, TaskFailedError, TaskRun
from sluice_ci._appcenter import AppCenter
from sluice_ci._service import Patience

CONTINUE = "VSMobileCenterUpload.ContinueIfSymbolsNotFound"
"""The variable that makes missing symbols no failure."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """A kind of symbols: the API's word, the input that finds them, whether even a single file is packed."""

    type: str
    input: str
    pack: bool = False


KINDS: dict[str, tuple[Symbols, ...]] = {
    "apple": (Symbols("Apple", "dsymPath"),),
    "android": (Symbols("AndroidProguard", "mappingTxtPath"), Symbols("Breakpad", "nativeLibrariesPath", pack=True)),
    "uwp": (Symbols("UWP", "appxsymPath"),),
}


def upload_symbols(run: TaskRun, center: AppCenter, root: str, release: int, patience: Patience) -> None:
    """Upload what the inputs for the kind of symbols name; nothing where they are empty."""
    kind = (run.input("symbolsType").strip() or "Apple").casefold()
    if kind not in KINDS:
        raise TaskFailedError(f"symbolsType is '{kind}', but must be Apple, Android or UWP", where=run.task)
    for symbols in KINDS[kind]:
        paths = _found(run, symbols)
        if not paths:
            continue
        patience.check()
        file = _prepared(run, symbols, paths)
        begun = center.json(f"{root}/symbol_uploads", method="POST", body=_about(center, root, release, symbols))
        id_, url = begun.get("symbol_upload_id"), begun.get("upload_url")
        if not isinstance(id_, str) or not isinstance(url, str):
            raise TaskFailedError("App Center started no upload of symbols", where=run.task)
        _put(run, center, url, file)
        path = f"{root}/symbol_uploads/{quote(id_, safe='')}"
        center.json(path, method="PATCH", body={"status": "committed"})
        run.say(f"Symbols uploaded: {file.name}")


def _found(run: TaskRun, symbols: Symbols) -> Sequence[Path]:
    pattern = run.input(symbols.input).strip()
    path = run.path(symbols.input)
    if not pattern or path == run.sources:
        return ()
    found = [path] if path.exists() else _matching(run, pattern)
    if not found:
        what = f"Failed to find {symbols.input} at {pattern}."
        if run.variable(CONTINUE).casefold() != "true":
            raise TaskFailedError(what, where=run.task)
        run.warn(what)
    if symbols.type != "Apple" and len(found) > 1:
        raise TaskFailedError(f"Found multiple files matching {pattern}.", where=run.task)
    if symbols.type == "Apple" and run.flag("packParentFolder"):
        found = list(dict.fromkeys(one.parent for one in found))
    return found


def _matching(run: TaskRun, pattern: str) -> list[Path]:
    """Files and folders (a dSYM is one): a folder matches when files below it do."""
    pattern = pattern.replace(f"{run.sources}/", "").rstrip("/")
    if files := run.files(run.sources, [pattern]):
        return list(files)
    depth = len(pattern.split("/"))
    below = run.files(run.sources, [f"{pattern}/**"])
    if "**" not in pattern:
        return list(dict.fromkeys(_first(run.sources, path, depth) for path in below))
    name = pattern.rpartition("/")[2]
    folders = dict.fromkeys(parent for path in below for parent in path.parents if parent.match(name))
    return list(folders)


def _first(root: Path, path: Path, depth: int) -> Path:
    return root.joinpath(*path.relative_to(root).parts[:depth])


def _about(center: AppCenter, root: str, release: int, symbols: Symbols) -> dict[str, Any]:
    body: dict[str, Any] = {"symbol_type": symbols.type}
    if symbols.type == "AndroidProguard":
        known = center.json(f"{root}/releases/{release}")
        body |= {"file_name": "mapping.txt", "version": known.get("short_version"), "build": known.get("version")}
    return body


def _prepared(run: TaskRun, symbols: Symbols, paths: Sequence[Path]) -> Path:
    """A single file as it is, anything else as a zip file named after what holds it all."""
    if len(paths) == 1 and paths[0].is_file() and not symbols.pack:
        return paths[0]
    top = paths[0] if len(paths) == 1 and paths[0].is_dir() else Path(os.path.commonpath([one.parent for one in paths]))
    target = run.temp / f"{top.name or 'symbols'}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(paths):
            archive.write(path, path.relative_to(top))
    return target


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_file():
            yield path
        else:
            yield from sorted(one for one in path.rglob("*") if one.is_file())


def _put(run: TaskRun, center: AppCenter, url: str, file: Path) -> None:
    """Into Azure Blob Storage; the address itself is the permission, so it is shown nowhere."""
    headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "application/octet-stream"}
    with file.open("rb") as content:
        answer = Probe(connection=center.connection, headers=headers).ask(url, method="PUT", body=content)
    if answer.status != 201:
        raise TaskFailedError("the symbols were not taken", where=run.task, why=answer.shown)
