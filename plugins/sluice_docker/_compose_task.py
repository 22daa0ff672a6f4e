"""`DockerCompose@1`: the actions on the services of a Compose file."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sluice.plugin import Connection, TaskFailedError, TaskRun, split_arguments
from sluice_docker._cli import Docker, execute
from sluice_docker._config import VARIABLE, job_config
from sluice_docker._host import host_environment
from sluice_docker._images import qualified
from sluice_docker._login import RegistryLogin, login_of

INSTALL = "install Docker Compose (Debian: apt-get install docker-compose), or name one with 'dockerComposePath'"
_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
_IN_DOCKER = ("compose",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compose:
    """How Compose is called in this step."""

    run: TaskRun
    docker: Docker
    program: tuple[str, ...]
    files: tuple[str, ...]
    project: tuple[str, ...]
    login: RegistryLogin | None

    def execute(self, *arguments: str) -> str:
        command = (*self.program, *self.files, *self.project, *arguments)
        return execute(self.run, command, environment=self.docker.environment, folder=self.docker.folder)

    def arguments(self) -> list[str]:
        return split_arguments(self.run.input("arguments"))

    def images(self) -> Mapping[str, str]:
        """The images of the services that are built, by service."""
        services = self._configuration().get("services") or {}
        project = self.project[1] if self.project else Path(self.files[1]).parent.name
        plain = re.sub(r"[^0-9a-z]", "", project.lower())
        return {
            name: str(service.get("image") or f"{plain}_{name}")
            for name, service in services.items()
            if isinstance(service, dict) and service.get("build")
        }

    def with_registry(self) -> _Compose:
        """With images that have no registry in their names called as the connection's registry has them."""
        if self.login is None or not self.run.flag("qualifyImageNames"):
            return self
        import yaml

        registry = self.login.registry
        named = {
            service: {"image": image if _has_host(image) else qualified(registry, image)}
            for service, image in self.images().items()
        }
        path = self.run.temp / f"docker-compose.{time.time_ns()}.yml"
        version = self._configuration().get("version")  # the older Compose wants all files to say the same
        path.write_text(yaml.safe_dump({**({"version": version} if version else {}), "services": named}))
        return replace(self, files=(*self.files, "-f", str(path)))

    def _configuration(self) -> dict[str, Any]:
        import yaml

        done = subprocess.run(
            (*self.program, *self.files, *self.project, "config"),
            env=self.docker.environment,
            cwd=self.docker.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise TaskFailedError(
                "the Compose file cannot be read", where=self.files[1], why=done.stderr.strip()[-500:]
            )
        content = yaml.safe_load(done.stdout)
        return content if isinstance(content, dict) else {}


def run_compose(run: TaskRun) -> None:
    """Carry out the `action` of the step."""
    action = run.required("action").strip()
    work = _WORK.get(action.casefold())
    if work is None:
        known = ", ".join(f"'{one}'" for one in _NAMES)
        raise TaskFailedError(f"the action '{action}' is not supported", where=run.task, do=f"one of: {known}")
    file = _find_file(run)
    if file is None:
        run.say(f"No Docker Compose file matching {run.input('dockerComposeFile')} was found.")
        return
    login = _login(run)
    with ExitStack() as stack:
        environment = {**run.environment, **_given(run)}
        config = job_config(run)
        if login is not None:
            config = stack.enter_context(config.copied(run.temp))
            config.add(login)
        environment[VARIABLE] = str(config.folder)
        if hosts := run.connections("dockerHostEndpoint"):
            environment |= stack.enter_context(host_environment(hosts[0], run.temp, environment.get("PATH", "")))
        folder = run.path("cwd")
        docker = Docker(run, environment, folder)
        compose = _Compose(
            run=run,
            docker=docker,
            program=_find_compose(run, docker),
            files=tuple(_files(run, file)),
            project=tuple(_project(run)),
            login=login,
        )
        written = [_keep(run, work(compose.with_registry()))]
    run.set_variable("DockerComposeOutput", "\n".join(written), output=True)


def _login(run: TaskRun) -> RegistryLogin | None:
    if run.input("containerregistrytype").strip().casefold() == "azure container registry":
        subscriptions: Sequence[Connection] = run.connections("azureSubscriptionEndpoint")
        if not subscriptions:
            return None
        raise TaskFailedError(
            "Azure subscriptions are not used for registries yet",
            where=run.task,
            do="take a Docker Registry connection of the kind ACR: containerregistrytype: Container Registry",
        )
    connections = run.connections("dockerRegistryEndpoint")
    return login_of(connections[0]) if connections else None


def _find_file(run: TaskRun) -> Path | None:
    """The Compose file; None when it may be missing and is."""
    written = run.required("dockerComposeFile").strip()
    if any(letter in written for letter in "*?"):
        root = run.path("cwd")
        pattern = written.removeprefix(f"{root}/")
        found = run.files(root, [pattern if "/" in pattern else f"**/{pattern}"])
        if found:
            return found[0]
    else:
        path = run.path("cwd") / written
        if path.is_file():
            return path
    if run.flag("nopIfNoDockerComposeFile"):
        return None
    raise TaskFailedError(f"No Docker Compose file matching {written} was found.", where=run.task)


def _files(run: TaskRun, first: Path) -> list[str]:
    files = ["-f", str(first)]
    for line in run.lines("additionalDockerComposeFiles"):
        path = first.parent / line
        if path.is_file() or run.flag("requireAdditionalDockerComposeFiles"):
            files += ["-f", str(path)]
        else:
            run.warn(f"Additional Docker Compose file '{path}' does not exist.")
    return files


def _project(run: TaskRun) -> list[str]:
    name = run.input("projectName").strip()
    if not name:
        return []
    if not _PROJECT.fullmatch(name):
        # what Compose itself made of such names before it refused them
        plain = re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")
        run.warn(f"'{name}' is no name for a Compose project: '{plain}' is taken.")
        name = plain
    return ["-p", name] if name else []


def _given(run: TaskRun) -> Mapping[str, str]:
    given = {}
    for line in run.lines("dockerComposeFileArgs"):
        name, separator, value = line.partition("=")
        if not separator:
            raise TaskFailedError(f"Environment variable '{line}' is invalid.", where=run.task, do="write NAME=value")
        given[name.strip()] = value.strip()
    return given


def _find_compose(run: TaskRun, docker: Docker) -> tuple[str, ...]:
    """Compose within `docker`, else the command of its own."""
    if path := run.input("dockerComposePath").strip():
        return (path,)
    if docker.ask("compose", "version") is not None:
        return (docker.program, *_IN_DOCKER)
    found = shutil.which("docker-compose", path=docker.environment.get("PATH"))
    if found is None:
        raise TaskFailedError("Docker Compose was not found.", where=run.task, do=INSTALL)
    return (found,)


def _has_host(image: str) -> bool:
    first, separator, _ = image.partition("/")
    return bool(separator) and ("." in first or ":" in first)


def _without_tag(image: str) -> str:
    name, separator, tag = image.rpartition(":")
    return name if separator and "/" not in tag else image


def _build(compose: _Compose) -> str:
    output = [compose.execute("build", *compose.arguments())]
    for image in compose.images().values():
        output += [compose.docker.execute("tag", image, target) for target in _further(compose.run, image)]
    return "\n".join(output)


def _push(compose: _Compose) -> str:
    output: list[str] = []
    for image in compose.images().values():
        targets = [image, *_further(compose.run, image)]
        output += [compose.docker.execute("push", *compose.arguments(), target) for target in targets]
    return "\n".join(output)


def _further(run: TaskRun, image: str) -> list[str]:
    name = _without_tag(image)
    tags = [*run.lines("additionalImageTags"), *(["latest"] if run.flag("includeLatestTag") and name != image else [])]
    if run.flag("includeSourceTags"):
        tags += _source_tags(run)
    return [f"{name}:{tag}" for tag in tags]


def _source_tags(run: TaskRun) -> list[str]:
    """The git tags of the commit that is checked out."""
    git = shutil.which("git", path=run.environment.get("PATH"))
    if git is None:
        return []
    done = subprocess.run(
        (git, "tag", "--points-at", "HEAD"), cwd=run.sources, capture_output=True, text=True, check=False
    )
    return done.stdout.split() if done.returncode == 0 else []


def _up(compose: _Compose) -> str:
    run = compose.run
    options = ["-d"] if run.flag("detached") else []
    if run.flag("buildImages"):
        options.append("--build")
    if not run.flag("detached") and run.flag("abortOnContainerExit"):
        options.append("--abort-on-container-exit")
    return compose.execute("up", *options, *compose.arguments())


def _run_service(compose: _Compose) -> str:
    run = compose.run
    detached = run.flag("detached")
    options = ["-d"] if detached else ["--rm"]
    for option, name in (("--entrypoint", "entrypoint"), ("--name", "containerName"), ("-w", "workDir")):
        if value := run.input(name).strip():
            options += [option, value]
    for port in run.lines("ports"):
        options += ["-p", port]
    command = split_arguments(run.input("containerCommand"))
    try:
        return compose.execute("run", *options, "-T", run.required("serviceName"), *compose.arguments(), *command)
    finally:
        if not detached and not run.canceled:
            compose.execute("down")


def _command(compose: _Compose) -> str:
    return compose.execute(*split_arguments(compose.run.required("dockerComposeCommand")), *compose.arguments())


_WORK: Mapping[str, Callable[[_Compose], str]] = {
    "build services": _build,
    "push services": _push,
    "run services": _up,
    "run a specific service": _run_service,
    "run a docker compose command": _command,
}
_NAMES = (
    "Build services",
    "Push services",
    "Run services",
    "Run a specific service",
    "Run a Docker Compose command",
)


def _keep(run: TaskRun, output: str) -> str:
    folder = run.temp / "task_outputs"
    folder.mkdir(exist_ok=True)
    path = folder / f"compose_{time.time_ns()}.txt"
    path.write_text(output)
    return str(path)
