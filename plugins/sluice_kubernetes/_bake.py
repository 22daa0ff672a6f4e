"""The action `bake`: manifests out of a Helm chart, a kustomization or a Compose file, by the programs that know these."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun
from sluice_kubernetes._helm_values import Pair, write_values
from sluice_kubernetes._job import tool_environment
from sluice_kubernetes._manifests import objects_of, substitute_images
from sluice_kubernetes._quiet import run_quietly
from sluice_kubernetes._tools import HELM, KUBECTL, Tool, find_tool

KOMPOSE = Tool(name="kompose", asks=("version",), install="install kompose: https://kompose.io/installation/")


def bake(run: TaskRun) -> None:
    """Write the manifests to a file of the job, whose path later steps get in `manifestsBundle`."""
    engines = {"helm": _helm, "helm2": _helm, "kustomize": _kustomize, "kompose": _kompose}
    engine = engines.get(run.input("renderType").strip())
    if engine is None:
        raise TaskFailedError("Unknown render type", where=run.task, why=f"there are: {', '.join(engines)}")
    text = engine(run)
    images = run.lines("containers")
    if images:
        from sluice_kubernetes._yaml import dump_all

        objects = objects_of(text, "what was rendered", run.task)
        substitute_images(objects, images)
        text = dump_all(objects)
    path = _write(run.temp, text)
    run.say(f"The manifests are in {path}")
    run.set_variable("manifestsBundle", str(path), output=True)


def _helm(run: TaskRun) -> str:
    chart = run.path("helmChart")
    if not run.input("helmChart").strip() or not chart.exists():
        raise TaskFailedError(f"there is no chart at {chart}", where=run.task)
    name = [run.input("releaseName").strip()] if run.input("releaseName").strip() else []
    namespace = ["--namespace", run.input("namespace").strip()] if run.input("namespace").strip() else []
    files = [part for one in run.lines("overrideFiles") for part in ("-f", str(run.sources / one))]
    pairs = [tuple(line.split(":", 1)) for line in run.lines("overrides")]
    if any(len(pair) != 2 for pair in pairs):
        raise TaskFailedError("'overrides' has NAME:VALUE on each line", where=run.task)
    with tempfile.TemporaryDirectory(prefix="kubernetes-", dir=run.temp) as folder:
        values = write_values(Path(folder), [Pair(pair[0].strip(), pair[1]) for pair in pairs], run.task)
        command = [find_tool(run, HELM), "template", *name, str(chart), *namespace, *files, *values]
        return _rendered(run, command)


def _kustomize(run: TaskRun) -> str:
    folder = run.path("kustomizationPath")
    if not folder.exists():
        raise TaskFailedError(f"there is no kustomization at {folder}", where=run.task)
    return _rendered(run, [find_tool(run, KUBECTL), "kustomize", str(folder)])


def _kompose(run: TaskRun) -> str:
    file = run.path("dockerComposeFile")
    if not run.input("dockerComposeFile").strip() or not file.is_file():
        raise TaskFailedError("Docker compose file path is not supplied", where=run.task)
    return _rendered(run, [find_tool(run, KOMPOSE), "convert", "-f", str(file), "--stdout"])


def _rendered(run: TaskRun, command: Sequence[str]) -> str:
    """What a program renders, which nobody sees: there may be secrets in it that nobody has masked."""
    with tool_environment(run, None) as environment:
        return run_quietly(run, command, environment=environment, folder=run.sources)


def _write(folder: Path, text: str) -> Path:
    fd, name = tempfile.mkstemp(prefix="baked-template-", suffix=".yaml", dir=folder)
    with os.fdopen(fd, "w") as file:
        file.write(text)
    return Path(name)
