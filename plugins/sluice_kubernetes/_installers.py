"""`KubectlInstaller@0` and `HelmInstaller@1`: the wanted version, of those that are on this machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sluice.plugin import TaskRun
from sluice_kubernetes._tools import HELM, KUBECTL, Tool, find_tool, version_of, wanted_version


def install_kubectl(run: TaskRun) -> None:
    """Have the steps that follow find the wanted kubectl."""
    _offer(run, KUBECTL, run.input("kubectlVersion"))


def install_helm(run: TaskRun) -> None:
    """Have the steps that follow find the wanted Helm."""
    _offer(run, HELM, run.input("helmVersionToInstall"))


def _offer(run: TaskRun, tool: Tool, wanted: str) -> None:
    path = find_tool(run, tool, wanted_version(wanted))
    known = run.environment.get("PATH", os.defpath)
    if shutil.which(tool.name, path=known) != path:
        run.set_variable("PATH", f"{Path(path).parent}{os.pathsep}{known}")
    run.say(f"{tool.name} {version_of(path, tool) or 'of an unknown version'} at {path}")
