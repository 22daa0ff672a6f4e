"""Programs that kubeconfigs name for credentials: refused, but for those that the machine's owner has listed.

`SLUICE_KUBERNETES_EXEC` of whoever runs Sluice on this machine lists absolute paths, separated as in `PATH`. A connection
cannot add to it. Such a program is run by Sluice itself, once for a use, and what it answers is all that is passed on.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.plugin import Secret
from sluice_kubernetes._kubeconfig import ExecPlugin, KubeconfigError

SETTING = "SLUICE_KUBERNETES_EXEC"
SECONDS = 60.0
VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

_VARIABLES = re.compile(
    r"AWS_(PROFILE|REGION|DEFAULT_REGION|STS_REGIONAL_ENDPOINTS)|AAD_[A-Z_]+|AZURE_(CLIENT|TENANT)_ID"
)
"""What a kubeconfig may set for a program: names and places of accounts, nothing that loads code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What a program answered."""

    token: Secret | None
    certificate: Secret | None
    key: Secret | None


def run_plugin(plugin: ExecPlugin, *, where: str, environ: Mapping[str, str] = os.environ) -> Credential:
    """Run a listed program and read the `ExecCredential` that it prints; raises `KubeconfigError` otherwise."""
    _check(plugin, where, environ)
    info = {"apiVersion": plugin.version, "kind": "ExecCredential", "spec": {"interactive": False}}
    try:
        done = subprocess.run(
            [plugin.command, *plugin.arguments],
            env={**_passed_on(environ), **plugin.environment, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise KubeconfigError(f"{plugin.command} gave no credentials within {SECONDS:g} seconds", where=where) from None
    except OSError as error:
        raise KubeconfigError(f"{plugin.command} cannot be run", where=where, why=error.strerror or "") from None
    if done.returncode:
        # what it wrote may hold anything: it is not repeated
        why = f"it ended with exit code {done.returncode}"
        raise KubeconfigError(f"{plugin.command} gave no credentials", where=where, why=why)
    return _read(done.stdout, plugin.command, where)


def _passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of whoever runs Sluice, without Sluice's own settings: there may be a key among them."""
    return {name: value for name, value in environ.items() if not name.startswith("SLUICE_")}


def _check(plugin: ExecPlugin, where: str, environ: Mapping[str, str]) -> None:
    listed = {one for one in environ.get(SETTING, "").split(os.pathsep) if one}
    if not Path(plugin.command).is_absolute() or plugin.command not in listed:
        raise KubeconfigError(
            f"the kubeconfig runs a program for its credentials ('exec': {plugin.command[:200]}), which is refused",
            where=where,
            why="whoever can edit the connection could run anything on this machine",
            do="use a service account's token; or let the machine's owner list the program's absolute path in "
            f"{SETTING}, and name it by that path in the kubeconfig",
        )
    for name in plugin.environment:
        if not _VARIABLES.fullmatch(name):
            raise KubeconfigError(
                f"'exec' of the kubeconfig sets the variable '{name[:80]}', which is refused", where=where
            )
    if plugin.version not in VERSIONS:
        raise KubeconfigError("'exec' of the kubeconfig has an apiVersion that is not known", where=where)


def _read(output: bytes, command: str, where: str) -> Credential:
    try:
        answer: Any = json.loads(output)
    except (ValueError, RecursionError):
        answer = None
    status = answer.get("status") if isinstance(answer, dict) else None
    if not isinstance(status, dict):
        raise KubeconfigError(f"{command} answered no ExecCredential", where=where)

    def secret(key: str) -> Secret | None:
        value = status.get(key)
        return Secret(value) if isinstance(value, str) and value else None

    return Credential(token=secret("token"), certificate=secret("clientCertificateData"), key=secret("clientKeyData"))
