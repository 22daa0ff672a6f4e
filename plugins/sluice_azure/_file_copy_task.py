"""`AzureFileCopy@4` to `@6`, to blobs: files and folders into a container of a storage account."""

from __future__ import annotations

import mimetypes
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sluice.plugin import CanceledError, TaskFailedError, TaskRun
from sluice_azure._blobs import Container

_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_CONTAINER = re.compile(r"\$web|\$root|[a-z0-9](?:-?[a-z0-9]){2,62}")
_WILDCARD = re.compile(r"[*?]")
_HEADERS = {"--content-type": "Content-Type", "--cache-control": "x-ms-blob-cache-control"}
_IGNORED = frozenset({"--log-level", "--cap-mbps", "--output-level", "--check-length"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What of azcopy's arguments counts here."""

    recursive: bool = True
    checksum: bool = False
    headers: Mapping[str, str]


def run_file_copy(run: TaskRun) -> None:
    """Copy to blobs; raises `TaskFailedError` for machines as the destination."""
    if run.required("Destination").strip().casefold() != "azureblob":
        raise TaskFailedError(
            "files are copied to blobs alone, not to virtual machines",
            where=run.task,
            do="copy to AzureBlob, or to a machine with CopyFilesOverSSH@0",
        )
    account = run.required("StorageAccountRM").strip()
    name = run.required("ContainerName").strip().lower()
    if not _ACCOUNT.fullmatch(account) or not _CONTAINER.fullmatch(name):
        raise TaskFailedError(f"'{account[:60]}/{name[:60]}' is no storage account and container", where=run.task)
    options = read_options(run.input("AdditionalArgumentsForBlobCopy"))
    prefix = run.input("BlobPrefix").strip().strip("/")
    files = _files(run, options)
    container = Container.of(run, run.connection("ConnectedServiceNameARM"), account, name)
    if container.make():
        run.say(f"Created the container {name}")
    if run.flag("CleanTargetBeforeCopy"):
        for found in list(container.names(f"{prefix}/" if prefix else "")):
            container.remove(found)
            run.say(f"Deleted {found}")
    for number, (blob, path) in enumerate(files.items()):
        if run.canceled:
            raise CanceledError("canceled between two files")
        run.progress(100 * number // len(files), f"{number + 1} of {len(files)}")
        full = f"{prefix}/{blob}" if prefix else blob
        container.put(full, path, {"Content-Type": _kind(path), **options.headers}, checksum=options.checksum)
        run.say(f"Uploaded {full}")
    run.set_variable("StorageContainerUri", f"{container.url}/", output=True)
    run.say(f"{len(files)} files copied to {container.url}")


def read_options(text: str) -> Options:
    """The arguments of azcopy; raises `TaskFailedError` for those that mean something that is not done here."""
    recursive, checksum, headers = True, False, {}
    for word in shlex.split(text):
        name, _, value = word.partition("=")
        if name == "--recursive":
            recursive = value.casefold() != "false"
        elif name == "--put-md5":
            checksum = value.casefold() != "false"
        elif name in _HEADERS and value:
            headers[_HEADERS[name]] = value
        elif name not in _IGNORED:
            raise TaskFailedError(
                f"the argument '{word[:80]}' of azcopy is not supported",
                do=f"those that are: --recursive, --put-md5, {', '.join(_HEADERS)}, each with '=' before its value",
            )
    return Options(recursive=recursive, checksum=checksum, headers=headers)


def _files(run: TaskRun, options: Options) -> dict[str, Path]:
    """The files by the blob that each becomes, as azcopy names them: a folder keeps its name, what a wildcard matches too."""
    text = run.required("SourcePath").strip().strip('"')
    matched = [run.path("SourcePath")]
    if _WILDCARD.search(text):
        place = run.sources / text.replace("\\", "/")
        root = _above_wildcards(place)
        matched = sorted(root.glob(os.path.relpath(place, root)))
    found: dict[str, Path] = {}
    for one in matched:
        if one.is_file():
            found[one.name] = one
        elif one.is_dir() and options.recursive:
            for path in run.files(one, ["**"]):
                if path.is_file():
                    found[(PurePosixPath(one.name) / path.relative_to(one).as_posix()).as_posix()] = path
    if not found:
        raise TaskFailedError(f"there is nothing to copy at '{text}'", where=run.task)
    return found


def _above_wildcards(path: Path) -> Path:
    """The folder above the first part with a wildcard."""
    parts = path.parts
    first = next(number for number, part in enumerate(parts) if _WILDCARD.search(part))
    return Path(*parts[:first])


def _kind(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
