"""`Kubernetes@1`: runs kubectl commands, creates secrets and config maps, logs in and out."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun, split_arguments
from sluice_kubernetes._entries import Entries, config_map, docker_secret, secret_object
from sluice_kubernetes._job import VARIABLE, Target, job_kubeconfig, opened_cluster, target_of, tool_environment
from sluice_kubernetes._objects import put
from sluice_kubernetes._tools import KUBECTL, find_tool, wanted_version

DEFAULT_VERSION = "1.13.2"
"""The task's default of `versionSpec`, which means: the one of the machine."""

MAX_OUTPUT = 32_766
"""Characters of an output variable, as the task has it."""

NO_FORMAT = frozenset(
    [
        "explain",
        "delete",
        "cluster-info",
        "top",
        "cordon",
        "uncordon",
        "drain",
        "describe",
        "logs",
        "attach",
        "exec",
        "port-forward",
        "proxy",
        "cp",
        "auth",
        "completion",
        "api-versions",
        "config",
        "help",
        "plugin",
        "rollout",
    ]
)
"""Commands without `-o json` and `-o yaml`."""


def run_kubectl_task(run: TaskRun) -> None:
    """Carry out the step: a secret, a config map and a command, as far as they are named."""
    command = run.input("command").strip()
    if command == "logout":
        log_out(run)
        return
    target = target_of(run)
    if run.input("secretName").strip():
        _create_secret(run, target)
    if run.input("configMapName").strip():
        _create_config_map(run, target)
    if command == "login":
        log_in(run, target)
    elif command:
        _execute(run, target, command)


def log_in(run: TaskRun, target: Target) -> None:
    """Leave a kubeconfig for the steps that follow in the job."""
    if target.access is None:
        raise TaskFailedError("login needs a service connection", where=run.task)
    path = job_kubeconfig(run)
    target.access.write(path)
    run.set_variable(VARIABLE, str(path))
    run.say(f"Logged in to {target.access.server} for the steps that follow in this job.")


def log_out(run: TaskRun) -> None:
    """Remove the job's kubeconfig."""
    path = job_kubeconfig(run)
    was_there = path.exists()
    path.unlink(missing_ok=True)
    run.set_variable(VARIABLE, "")
    run.say("Logged out." if was_there else "This job has not logged in to a cluster.")


def _execute(run: TaskRun, target: Target, command: str) -> None:
    program = _kubectl(run)
    namespace = ["-n", run.input("namespace").strip()] if run.input("namespace").strip() else []
    output: list[bytes] = []
    with _configuration(run) as configuration, tool_environment(run, target.access) as environment:
        arguments = [command, *namespace, *configuration, *split_arguments(run.input("arguments"))]
        status = run.execute(
            [program, *arguments, *_format(run, command)],
            folder=run.path("cwd"),
            environment=environment,
            take=output.append,
        )
    text = b"".join(output).decode("utf-8", "replace")
    if len(text) > MAX_OUTPUT:
        run.warn(
            f"Output variable not set as kubectl command output exceeded the maximum supported length. "
            f"Output length: {len(text)}, Maximum supported length: {MAX_OUTPUT}"
        )
    else:
        run.set_variable("KubectlOutput", _without_warnings(text), output=True)
    if status:
        raise TaskFailedError(f"kubectl {command} failed with exit code {status}", where=run.task, why=_reason(text))


def _kubectl(run: TaskRun) -> str:
    if run.input("versionOrLocation").strip() == "location":
        path = run.path("specifyLocation")
        if not path.is_file():
            raise TaskFailedError(f"there is no kubectl at {path}", where=run.task)
        return str(path)
    asked = run.input("versionSpec").strip()
    return find_tool(run, KUBECTL, "" if asked == DEFAULT_VERSION else wanted_version(asked))


def _format(run: TaskRun, command: str) -> list[str]:
    wanted = run.input("outputFormat").strip()
    if wanted in {"", "none"} or (wanted in {"json", "yaml"} and command in NO_FORMAT):
        return []
    return ["-o", wanted]


@contextlib.contextmanager
def _configuration(run: TaskRun) -> Iterator[list[str]]:
    """`-f` and the file that the inputs name; one that is written in the pipeline lies there for one command."""
    if not run.flag("useConfigurationFile"):
        yield []
        return
    inline, named = run.input("inline"), run.input("configuration").strip()
    if inline.strip() and (run.input("configurationType").strip() == "inline" or not named):
        with tempfile.TemporaryDirectory(prefix="kubernetes-", dir=run.temp) as folder:
            path = Path(folder) / "inline.yaml"
            path.touch(mode=0o600)
            path.write_text(inline)
            yield ["-f", str(path)]
        return
    if not named:
        raise TaskFailedError(
            "No configuration specified for the command", where=run.task, do="give 'configuration' or 'inline'"
        )
    if "://" in named:
        yield ["-f", named]
        return
    path = run.path("configuration")
    if not path.exists():
        raise TaskFailedError(f"No configuration file matching {path} was found.", where=run.task)
    yield ["-f", str(path)]


def _create_secret(run: TaskRun, target: Target) -> None:
    name = run.input("secretName").strip()
    with opened_cluster(run, target) as cluster:
        namespace = target.namespace or cluster.access.namespace or "default"
        put(cluster, namespace, secret_of(run, name), replace=run.flag("forceUpdate"))
    run.say(f"secret/{name} is in the namespace {namespace}")


def secret_of(run: TaskRun, name: str) -> dict[str, object]:
    """The secret that the inputs of a step describe."""
    kind = run.input("secretType").strip().casefold()
    if kind == "generic":
        entries = Entries(where=run.task, folder=run.path("cwd") if _has_cwd(run) else run.sources)
        return secret_object(name, entries.read(run.input("secretArguments")))
    if kind != "dockerregistry":
        raise TaskFailedError(f"secretType '{run.input('secretType')}' is not known", where=run.task)
    connections = run.connections("dockerRegistryEndpoint")
    if not connections:
        raise TaskFailedError(
            "no Docker Registry connection is named",
            where=run.task,
            why="registries by Azure subscription are not supported",
            do="write 'containerRegistryType: Container Registry' and 'dockerRegistryEndpoint', whose connection may be "
            "one to Azure Container Registry",
        )
    return docker_secret(name, connections[0])


def _has_cwd(run: TaskRun) -> bool:
    return bool(run.input("cwd").strip())


def _create_config_map(run: TaskRun, target: Target) -> None:
    name = run.input("configMapName").strip()
    folder = run.path("cwd") if _has_cwd(run) else run.sources
    entries = Entries(where=run.task, folder=folder)
    if run.flag("useConfigMapFile"):
        entries.add_files("", run.path("configMapFile"))
    else:
        entries.read(run.input("configMapArguments"))
    with opened_cluster(run, target) as cluster:
        namespace = target.namespace or cluster.access.namespace or "default"
        is_new = put(cluster, namespace, config_map(name, entries), replace=run.flag("forceUpdateConfigMap"), keep=True)
    run.say(
        f"configmap/{name} {'is' if is_new else 'exists already, and stays as it is,'} in the namespace {namespace}"
    )


def _without_warnings(text: str) -> str:
    """What kubectl says beside its output: warnings of the cluster, which would spoil JSON."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("Warning: ")).strip("\n")


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.casefold().startswith(("error", "unable"))]
    return (errors or lines or [""])[-1][:500]
