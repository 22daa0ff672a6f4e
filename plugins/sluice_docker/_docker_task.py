"""`Docker@2`: the commands that have a meaning of their own, and any other command of `docker`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun, split_arguments
from sluice_docker._cli import Docker
from sluice_docker._config import VARIABLE, DockerConfig, job_config
from sluice_docker._images import base_image, labels, qualified, tagged, valid_name
from sluice_docker._login import RegistryLogin, login_of

_IGNORED = "Input arguments are ignored for the command buildAndPush."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Command:
    """A command about to run: its `docker`, the log-ins it sees, the registry that the step names."""

    run: TaskRun
    docker: Docker
    config: DockerConfig
    login: RegistryLogin | None

    def names(self) -> list[str]:
        """The images that the step means: at the named registry, else at each one logged in to, else here alone."""
        repository = self.run.input("repository").strip()
        if not repository:
            return []
        if self.login is not None:
            return [qualified(self.login.registry, repository)]
        found = [qualified(registry, repository) for registry in self.config.registries()]
        return list(dict.fromkeys(found)) or [valid_name(repository)]

    def images(self) -> list[str]:
        return tagged(self.names(), self.run.input("tags"))

    def arguments(self) -> list[str]:
        return split_arguments(self.run.input("arguments"))


def run_docker(run: TaskRun) -> None:
    """Carry out the `command` of the step."""
    command = run.required("command").strip()
    wanted = command.casefold()
    connections = run.connections("containerRegistry")
    login = login_of(connections[0]) if connections else None
    config = job_config(run)
    if wanted == "login":
        _log_in(run, config, login)
        return
    if wanted == "logout":
        _log_out(run, config, login)
        return
    with _logged_in(run, config, login) as (environment, seen):
        docker = Docker(run, environment, run.sources)
        asked = _Command(run=run, docker=docker, config=seen, login=login)
        work = _WORK.get(wanted)
        written = work(asked) if work is not None else _other(asked, command)
    run.set_variable("DockerOutput", "\n".join(written), output=True)


def run_older_docker(run: TaskRun) -> None:
    """`Docker@1`, of which there are log-in and log-out: they do what those of `Docker@2` do."""
    command = run.required("command").strip()
    if command.casefold() not in {"login", "logout"}:
        raise TaskFailedError(
            f"the command '{command}' of Docker@1 is not supported", where=run.task, do="write the step with Docker@2"
        )
    connections = run.connections("dockerRegistryEndpoint")
    if run.input("containerregistrytype").strip().casefold() != "container registry":
        raise TaskFailedError(
            "Azure subscriptions are not used for registries yet",
            where=run.task,
            do="write 'containerregistrytype: Container Registry', with a Docker Registry connection of the kind ACR",
        )
    login = login_of(connections[0]) if connections else None
    log = _log_in if command.casefold() == "login" else _log_out
    log(run, job_config(run), login)


def _log_in(run: TaskRun, config: DockerConfig, login: RegistryLogin | None) -> None:
    if login is None:
        raise TaskFailedError("Input required: containerRegistry", where=run.task, why="login needs a registry")
    config.add(login)
    run.say(f"Logged in to {login.host} as {login.username}, for this job alone.")


def _log_out(run: TaskRun, config: DockerConfig, login: RegistryLogin | None) -> None:
    if login is None:
        config.clear()
        run.say("Logged out of all registries.")
    elif config.remove(login.registry):
        run.say(f"Logged out of {login.host}.")
    else:
        run.say(f"This job has not logged in to {login.host}.")


@contextmanager
def _logged_in(
    run: TaskRun, config: DockerConfig, login: RegistryLogin | None
) -> Iterator[tuple[Mapping[str, str], DockerConfig]]:
    """The environment of one command; a registry that the step itself names is logged in to for as long."""
    if login is None:
        yield {**run.environment, VARIABLE: str(config.folder)}, config
        return
    with config.copied(run.temp) as own:
        own.add(login)
        yield {**run.environment, VARIABLE: str(own.folder)}, own


def _build(command: _Command, arguments: list[str] | None = None) -> list[str]:
    run, docker = command.run, command.docker
    dockerfile = find_dockerfile(run)
    given = run.input("buildContext").strip()
    context = dockerfile.parent if given in {"", "**"} else run.path("buildContext")
    if not context.is_dir():
        raise TaskFailedError(f"Not found buildContext: {context}", where=run.task)
    described = labels(run.variable, pipeline_data=run.flag("addPipelineData"))
    if run.flag("addBaseImageData"):
        described += _base_labels(docker, dockerfile)
    options = [part for label in described for part in ("--label", label)]
    tags = [part for image in command.images() for part in ("-t", image)]
    more = command.arguments() if arguments is None else arguments
    output = docker.execute("build", "-f", str(dockerfile), *options, *more, *tags, str(context))
    return [_keep(run, "build", output)]


def _push(command: _Command, arguments: list[str] | None = None) -> list[str]:
    run = command.run
    images = command.images()
    if not images:
        run.warn("No repository is specified. Nothing will be pushed.")
        return []
    more = command.arguments() if arguments is None else arguments
    output = [command.docker.execute("push", *more, image) for image in images]
    return [_keep(run, "push", "\n".join(output))]


def _build_and_push(command: _Command) -> list[str]:
    if command.run.input("arguments").strip():
        command.run.warn(_IGNORED)
    return [*_build(command, []), *_push(command, [])]


def _lifecycle(verb: str) -> Callable[[_Command], list[str]]:
    def work(command: _Command) -> list[str]:
        name = command.run.required("container").strip()
        output = command.docker.execute(verb, *command.arguments(), container_id(command.run, name))
        return [_keep(command.run, verb, output)]

    return work


def _other(command: _Command, verb: str) -> list[str]:
    output = command.docker.execute(verb, *command.arguments())
    return [_keep(command.run, verb, output)]


_WORK: Mapping[str, Callable[[_Command], list[str]]] = {
    "build": _build,
    "push": _push,
    "buildandpush": _build_and_push,
    "start": _lifecycle("start"),
    "stop": _lifecycle("stop"),
}


def container_id(run: TaskRun, name: str) -> str:
    """The container that a name means: one of the job's own by its alias, else as `docker` knows it."""
    try:
        mapping = json.loads(run.variable("Agent.ContainerMapping") or "{}")
    except ValueError:
        return name
    known = mapping.get(name) if isinstance(mapping, dict) else None
    return str(known.get("id") or name) if isinstance(known, dict) else name


def find_dockerfile(run: TaskRun) -> Path:
    """The file that `Dockerfile` names; of a pattern the first one that matches."""
    written = run.input("Dockerfile").strip() or "**/Dockerfile"
    if any(letter in written for letter in "*?"):
        pattern = written.removeprefix(f"{run.sources}/")
        # a pattern without a folder means a file of that name anywhere, as with the task's own matching
        found = run.files(run.sources, [pattern if "/" in pattern else f"**/{pattern}"])
        if found:
            return found[0]
    elif (path := run.path("Dockerfile")).is_file():
        return path
    raise TaskFailedError(f"No Dockerfile matching {written} was found.", where=run.task)


def _base_labels(docker: Docker, dockerfile: Path) -> list[str]:
    base = base_image(dockerfile.read_text(errors="replace"))
    if not base or base == "scratch":
        return [f"image.base.ref.name={base}"] if base else []
    name, _, digest = base.partition("@")
    if not digest:
        docker.ask("pull", "-q", name)
        answer = docker.ask("image", "inspect", "--format", "{{json .RepoDigests}}", name)
        digests = json.loads(answer) if answer else None
        digest = digests[0].partition("@")[2] if isinstance(digests, list) and len(digests) == 1 else ""
    return [f"image.base.ref.name={name}", *([f"image.base.digest={digest}"] if digest else [])]


def _keep(run: TaskRun, command: str, output: str) -> str:
    """The output as a file, whose path later steps get."""
    folder = run.temp / "task_outputs"
    folder.mkdir(exist_ok=True)
    path = folder / f"{command}_{time.time_ns()}.txt"
    path.write_text(output)
    return str(path)
