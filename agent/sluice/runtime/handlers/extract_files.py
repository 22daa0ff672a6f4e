"""`ExtractFiles@1`: archives that patterns choose, unpacked into one folder."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path

from sluice.errors import CanceledError, TaskFailedError
from sluice.runtime.globbing import choose
from sluice.runtime.handlers.archive_files import SEVEN_ZIP_HELP
from sluice.runtime.handlers.copy_files import remove
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.handlers.script import find_program, run_script
from sluice.runtime.step_scope import StepScope
from sluice.runtime.tree import walk
from sluice.runtime.unpacking import Unpacking

_TAR = re.compile(r"\.(tar(\.(gz|bz2|xz|lzma))?|tgz|taz|tz2|tbz2|tbz|tlz|txz)\Z")
_ZIP = (".zip", ".jar", ".war", ".ear")
_WILD = re.compile(r"[*?]")


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Unpack them one after another."""
    patterns = [line.strip() for line in inputs.text("archiveFilePatterns").splitlines() if line.strip()]
    if not patterns:
        raise TaskFailedError("Input required: archiveFilePatterns")
    if not inputs.text("destinationFolder").strip():
        raise TaskFailedError("Input required: destinationFolder")
    target = inputs.path("destinationFolder")
    try:
        archives = list(dict.fromkeys(path for pattern in patterns for path in _find(inputs.root, pattern)))
        if not archives:
            scope.issue("warning", "No files found with the specified archive file patterns.")
        scope.say(f"Found: {len(archives)} files to extract:")
        for path in archives:
            scope.say(f"{path}")
        _prepare(scope, inputs, target, archives)
        for path in archives:
            _extract(scope, inputs, path, target)
    except OSError as error:
        where = os.fspath(error.filename or target)
        raise TaskFailedError(
            "The archives cannot be unpacked", where=where, why=error.strerror or str(error)
        ) from error


def _find(root: Path, pattern: str) -> list[Path]:
    """Archives of one pattern: a path, or a folder and what is searched for below it."""
    wild = _WILD.search(pattern)
    if wild is None:
        path = Path(os.path.normpath(root / pattern))
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "is not there"
            raise TaskFailedError(f"The archive {path} {what}", do="name a file, or write a pattern such as '**/*.zip'")
        return [path]
    fixed = pattern[: wild.start()].rpartition("/")[0]
    folder = Path(os.path.normpath(root / f"{fixed}/" if pattern.startswith("/") else root / fixed))
    if not folder.is_dir():
        raise TaskFailedError(f"The folder to search for archives is not there: {folder}")
    search = pattern[len(fixed) + 1 :] if fixed or pattern.startswith("/") else pattern
    items = list(walk(folder))
    folders = {item.name for item in items if item.folder}
    # as the task: wildcards do not match names that begin with a dot
    names = choose(sorted(item.name for item in items), folder, [search], dot=False, from_all=False)
    return [folder / name for name in names if name not in folders]


def _prepare(scope: StepScope, inputs: StepInputs, target: Path, archives: list[Path]) -> None:
    if inputs.text("cleanDestinationFolder", "true").strip().casefold() == "true" and os.path.lexists(target):
        scope.say(f"Cleaning destination folder before extraction: {target}")
        real = Path(os.path.realpath(target))
        held = [path for path in archives if real in Path(os.path.realpath(path)).parents]
        if held or real in {inputs.root, *inputs.root.parents}:
            raise TaskFailedError(
                f"The destination folder is not cleaned: {target}",
                why=f"it holds {held[0] if held else inputs.root}",
                do="choose another destinationFolder, or set cleanDestinationFolder: false",
            )
        remove(target)
    if not target.is_dir():
        scope.say(f"Creating destination folder: {target}")
        target.mkdir(parents=True)


def _extract(scope: StepScope, inputs: StepInputs, path: Path, target: Path) -> None:
    def check() -> None:
        if scope.stop.canceled:
            raise CanceledError("unpacking was canceled")

    scope.say(f"Extracting file: {path}")
    overwrite = inputs.flag("overwriteExistingFiles")
    if _TAR.search(path.name):
        work = Unpacking(path, target, overwrite, check)
        work.tar()
    elif path.name.endswith(_ZIP) or zipfile.is_zipfile(path):
        work = Unpacking(path, target, overwrite, check)
        work.zip()
    else:
        _seven_zip(scope, inputs, path, target)


def _seven_zip(scope: StepScope, inputs: StepInputs, path: Path, target: Path) -> None:
    program = inputs.text("pathToSevenZipTool").strip() or find_program("7z", inputs, SEVEN_ZIP_HELP)
    overwrite = "-aoa" if inputs.flag("overwriteExistingFiles") else "-aos"
    run_script(
        scope,
        inputs,
        (program, "x", overwrite, "-y", f"-o{target}", os.fspath(path)),
        cwd=target,
        program="7z",
        fail_on_stderr=False,
    )
