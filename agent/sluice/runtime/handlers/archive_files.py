"""`ArchiveFiles@2`: a file or a folder into a zip, a tar, or what `7z` can make."""

from __future__ import annotations

import contextlib
import os
import secrets
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Literal

from sluice.errors import CanceledError, TaskFailedError
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.handlers.script import find_program, run_script
from sluice.runtime.step_scope import StepScope
from sluice.runtime.tree import walk
from sluice.values import dataclass

SEVEN_ZIP_HELP = "install 7-Zip, such as with 'apt-get install p7zip-full' or 'apk add 7zip'"

_LEVELS = {"ultra": 9, "maximum": 7, "normal": 5, "fast": 3, "fastest": 1, "none": 0}
_CHUNK = 1 << 20

_Mode = Literal["w:gz", "w:bz2", "w:xz", "w:"]
_MODES: dict[str, _Mode] = {"gz": "w:gz", "bz2": "w:bz2", "xz": "w:xz", "none": "w:"}


@dataclass(frozen=True, slots=True)
class _Entry:
    """Something to pack: its name in the archive, and where it is."""

    name: str
    path: Path


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Pack; an archive that is there is replaced, or added to."""
    root, archive = _required(inputs, "rootFolderOrFile"), _required(inputs, "archiveFile")
    kind = inputs.text("archiveType", "zip").strip().casefold()
    if kind not in {"default", "zip", "tar", "7z", "wim"}:
        raise TaskFailedError(
            f"Invalid archiveType '{inputs.text('archiveType')}'. The value must be one of: zip, 7z, tar, wim"
        )
    if not os.path.lexists(root):
        raise TaskFailedError(f"No file or directory found - {root}", where="rootFolderOrFile")
    if not _roots(inputs, root)[1]:
        raise TaskFailedError(f"There is nothing to archive in {root}", where="rootFolderOrFile", why="it is empty")
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        _make_way(scope, inputs, archive)
        if kind in {"7z", "wim"}:
            _seven_zip(scope, inputs, root, archive, kind)
            return
        work = _Packing(scope, inputs, root, archive)
        work.tar() if kind == "tar" else work.zip()
    except OSError as error:
        where = os.fspath(error.filename or archive)
        raise TaskFailedError("The archive cannot be made", where=where, why=error.strerror or str(error)) from error
    if scope.result is None:
        scope.say(f"Successfully created archive: {archive}")


def _required(inputs: StepInputs, name: str) -> Path:
    if not inputs.text(name).strip():
        raise TaskFailedError(f"Input required: {name}")
    return inputs.path(name)


def _make_way(scope: StepScope, inputs: StepInputs, archive: Path) -> None:
    if not os.path.lexists(archive):
        return
    if not archive.is_file():
        raise TaskFailedError(f"Specified archive file: {archive} already exists, but it is not a file.")
    if inputs.text("replaceExistingArchive", "true").strip().casefold() == "true":
        scope.say(f"Archive file: {archive} already exists, it is replaced.")
        archive.unlink()
    else:
        scope.say(f"Archive file: {archive} already exists, files are added to it.")


def _roots(inputs: StepInputs, root: Path) -> tuple[Path, list[str]]:
    """The folder that names start in, and the names at its top that are packed."""
    whole = inputs.text("includeRootFolder", "true").strip().casefold() == "true"
    if whole or not root.is_dir():
        return root.parent, [root.name]
    return root, sorted(path.name for path in root.iterdir())


@dataclass(frozen=True, slots=True)
class _Packing:
    scope: StepScope
    inputs: StepInputs
    root: Path
    archive: Path

    def zip(self) -> None:
        """Links are followed, as `zip -r` does. The archive takes its place when it is whole."""
        entries = list(self._followed())
        with (
            self._instead() as part,
            zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as target,
        ):
            if self.archive.is_file():
                self._keep(target, {entry.name for entry in entries})
            for entry in entries:
                self._check()
                if not self.inputs.flag("quiet") or self.inputs.flag("verbose"):
                    self.scope.say(f"  adding: {entry.name}")
                info = zipfile.ZipInfo.from_file(entry.path, entry.name, strict_timestamps=False)
                info.compress_type = zipfile.ZIP_STORED if info.is_dir() else zipfile.ZIP_DEFLATED
                if info.is_dir():
                    target.writestr(info, b"")
                else:
                    with entry.path.open("rb") as source, target.open(info, "w", force_zip64=True) as file:
                        self._copy(source, file)

    def tar(self) -> None:
        """Links stay links, as `tar` does it."""
        name = self.inputs.text("tarCompression", "gz").strip().casefold()
        if name not in _MODES:
            raise TaskFailedError(f"Invalid tarCompression '{name}'. The value must be one of: {', '.join(_MODES)}")
        mode = _MODES[name]
        adds = self.archive.is_file()
        if adds and mode != "w:":
            raise TaskFailedError(
                f"Cannot update compressed archives: {self.archive}", do="set replaceExistingArchive: true"
            )
        if adds:
            with self._tar_errors(), tarfile.open(self.archive, "a:") as target:
                self._fill(target)
            return
        with self._instead() as part, tarfile.open(part, mode) as target:
            self._fill(target)

    def _fill(self, target: tarfile.TarFile) -> None:
        for entry in self._unfollowed():
            self._check()
            if self.inputs.flag("verbose"):
                self.scope.say(entry.name)
            info = target.gettarinfo(entry.path, entry.name)
            if info is None:  # a socket
                self.scope.issue("warning", f"{entry.name} is no file and is left out.")
            elif info.isreg():
                with entry.path.open("rb") as source:
                    target.addfile(info, source)
            else:
                target.addfile(info)

    def _keep(self, target: zipfile.ZipFile, replaced: set[str]) -> None:
        """What the old archive holds and the new one doesn't."""
        try:
            with zipfile.ZipFile(self.archive) as old:
                for info in old.infolist():
                    if info.filename.rstrip("/") not in replaced:
                        with old.open(info) as source, target.open(info, "w", force_zip64=True) as file:
                            self._copy(source, file)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise TaskFailedError(
                f"Nothing can be added to {self.archive}", why=str(error), do="set replaceExistingArchive: true"
            ) from error

    def _copy(self, source: IO[bytes], target: IO[bytes]) -> None:
        while chunk := source.read(_CHUNK):
            self._check()
            target.write(chunk)

    def _followed(self) -> Iterator[_Entry]:
        top, names = _roots(self.inputs, self.root)
        for name in names:
            path = top / name
            yield from self._fit(_Entry(name, path))
            if path.is_dir():
                for item in walk(path):
                    yield from self._fit(_Entry(f"{name}/{item.name}", path / item.name))

    def _unfollowed(self) -> Iterator[_Entry]:
        top, names = _roots(self.inputs, self.root)
        waiting = [_Entry(name, top / name) for name in reversed(names)]
        while waiting:
            entry = waiting.pop()
            if entry.path == self.archive or entry.path.name == self._part.name:
                continue
            yield entry
            if entry.path.is_dir() and not entry.path.is_symlink():
                below = sorted(entry.path.iterdir(), reverse=True)
                waiting.extend(_Entry(f"{entry.name}/{path.name}", path) for path in below)

    def _fit(self, entry: _Entry) -> Iterator[_Entry]:
        """Unless it is the archive itself, or nothing that a zip can hold."""
        if entry.path == self.archive:
            return
        if entry.path.is_file() or entry.path.is_dir():
            yield entry
        else:
            self.scope.issue("warning", f"{entry.name} is no file and is left out.")

    @property
    def _part(self) -> Path:
        return self.archive.with_name(f".{self.archive.name}.part")

    @contextlib.contextmanager
    def _instead(self) -> Iterator[Path]:
        """A file beside the archive that takes its place when it is whole."""
        part = self._part
        try:
            with self._tar_errors():
                part.unlink(missing_ok=True)
                yield part
            part.replace(self.archive)
        finally:
            part.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _tar_errors(self) -> Iterator[None]:
        try:
            yield
        except tarfile.TarError as error:
            raise TaskFailedError("The archive cannot be made", where=str(self.archive), why=str(error)) from error

    def _check(self) -> None:
        if self.scope.stop.canceled:
            raise CanceledError("packing was canceled")


def _seven_zip(scope: StepScope, inputs: StepInputs, root: Path, archive: Path, kind: str) -> None:
    program = find_program("7z", inputs, SEVEN_ZIP_HELP)
    top, names = _roots(inputs, root)
    level = _LEVELS.get(inputs.text("sevenZipCompression", "normal").strip().casefold(), _LEVELS["normal"])
    arguments = [program, "a", f"-t{kind}", *(["-bb3"] if inputs.flag("verbose") else [])]
    if kind == "7z":
        arguments.append(f"-mx={level}")
    with _list_file(scope, names) as path:
        run_script(
            scope,
            inputs,
            (*arguments, os.fspath(archive), f"@{path}"),
            cwd=top,
            program="7z",
            fail_on_stderr=False,
        )


@contextlib.contextmanager
def _list_file(scope: StepScope, names: Sequence[str]) -> Iterator[Path]:
    path = scope.job.workspace.temp / f"{secrets.token_hex(8)}.list"
    path.write_bytes(b"".join(os.fsencode(name) + b"\n" for name in names))
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
