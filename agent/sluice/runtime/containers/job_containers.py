"""The containers of one job: started with its first step, or anew when the job goes on, and removed when it ends."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sluice.errors import CanceledError, SluiceError, TaskFailedError
from sluice.hooks.connection import Connection
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.containers import leftovers
from sluice.runtime.containers.creation import CreateRequest, Surroundings, create_request, qualified
from sluice.runtime.containers.engine import Engine, EngineError, RegistryLogin
from sluice.runtime.containers.paths import NODE, Mount, PathMap, mounts, path_map
from sluice.runtime.containers.process import Command, run_in_container
from sluice.runtime.containers.terminal import exec_with_terminal
from sluice.runtime.containers.users import User, archive, entries
from sluice.runtime.job_state import JobState
from sluice.runtime.orphans import lookup_id
from sluice.runtime.process import Exit, Graces, Sink
from sluice.runtime.request import JobContainer
from sluice.runtime.step_scope import StepScope
from sluice.secret import Secret
from sluice.values import dataclass

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for in an image that does not say."""

NODE_LABEL = "com.azure.dev.pipelines.agent.handler.node.path"
"""The label of an image that names the Node for tasks."""

FIRST_WAIT = 0.5
LONGEST_WAIT = 8.0
"""Seconds from one look at a service's health to the next, doubled each time."""

_FINDS = 'command -v "$0"'
_LAYER_ENDS = ("Pull complete", "Already exists", "Download complete")


@dataclass(frozen=True, slots=True)
class Running:
    """A container that has been started."""

    id: str
    path: str
    node: str


class JobContainers:
    """Starts and ends the containers of a job. One thread at a time."""

    def __init__(self, job: JobState, tasks: Sequence[Path], node: str = "") -> None:
        self._job = job
        self._engine: Engine | None = None
        self._running: dict[str, Running] = {}
        self._failure = ""
        self._ended = False
        self._starting = False
        self._lookup = lookup_id(job.request)
        workspace = job.workspace
        earlier = _earlier(job)
        self._mounts: tuple[Mount, ...] = mounts(workspace.work, workspace.root, workspace.temp, tasks, earlier, node)
        self.node = NODE if node else ""
        """Where the Node that a person has chosen is in each container; ''."""
        self.paths: PathMap = path_map(workspace.work, self._mounts)

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of the host, which leads to the engine."""
        return self._job.environ

    @property
    def started(self) -> bool:
        """Whether nothing is left to start."""
        return bool(self._running)

    @property
    def failed(self) -> bool:
        """Whether they were tried to be started, and were not."""
        return bool(self._failure)

    def place(self, alias: str) -> ContainerPlace:
        """The container of that alias, for the processes of a step."""
        if not any(one.alias.casefold() == alias.casefold() for one in self._job.request.containers):
            raise TaskFailedError(f"this job has no container '{alias}'")
        return ContainerPlace(self, alias)

    def running(self, alias: str) -> tuple[Engine, Running]:
        """The engine and the container; raises `TaskFailedError` when it was not started."""
        found = self._running.get(alias.casefold())
        if found is None or self._engine is None:
            raise TaskFailedError(f"the container '{alias}' is not running", why=self._failure)
        return self._engine, found

    def start(self, scope: StepScope, opened: Mapping[str, Sequence[Connection]]) -> None:
        """Pull, create and start all of them, and wait for services that have a health check."""
        if self._failure:
            raise TaskFailedError("the containers of this job were not started", why=self._failure)
        self._starting = True
        try:
            self._start(scope, opened)
        except SluiceError as error:
            self._failure = error.what if not error.why else f"{error.what}: {error.why}"
            raise
        finally:
            self._starting = False

    def end(self) -> None:
        """Remove them. What cannot be removed now is when the next job starts: the note stays."""
        self._ended = True
        self._running.clear()
        if self._engine is None:
            return
        with contextlib.closing(self._engine), contextlib.suppress(EngineError):
            self._engine.remove_all(self._lookup)
            if not self._starting:  # else the engine may still make one more, when it answers
                leftovers.note(self._job.workspace.temp).unlink(missing_ok=True)
        self._engine = None

    @property
    def user(self) -> User:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):
            name = "user"
        return User(uid=os.getuid(), gid=os.getgid(), name=name)

    def notes(self) -> tuple[Path, str]:
        """The private folder, as both sides call it."""
        temp = self._job.workspace.temp
        return temp, self.paths.inner(os.fspath(temp))

    def prepended(self) -> list[str]:
        return [self.paths.inner(path) for path in self._job.prepended]

    def _start(self, scope: StepScope, opened: Mapping[str, Sequence[Connection]]) -> None:
        containers = [self._expanded(one) for one in self._job.request.containers]
        engine = self._engine = Engine.connect(self._job.environ)
        scope.say(engine.version())
        leftovers.write(self._job.workspace.temp, self._lookup, self._job.environ)
        engine.remove_all(self._lookup)
        network = f"vsts_network_{secrets.token_hex(16)}"
        engine.create_network(network, self._lookup)
        targeted = {step.target.casefold() for step in self._job.request.steps if step.target}
        for one in containers:
            login = _login(scope, opened.get(one.connection_input, ()), one)
            image = qualified(one.image, login.registry if login is not None else "")
            around = Surroundings(
                lookup=self._lookup,
                network=network,
                mounts=self._mounts,
                unique=secrets.token_hex(3),
                environ=self._job.environ,
            )
            request = create_request(one, image, around, targeted=not one.service or one.alias.casefold() in targeted)
            self._pull(scope, engine, one, image, login, request.platform)
            self._stop_if_canceled(scope)
            self._create(scope, engine, one, request, targeted=one.alias.casefold() in targeted)
        for one in containers:
            if one.service:
                self._wait_for(scope, engine, one)
        self._tell(engine, containers, network)

    def _stop_if_canceled(self, scope: StepScope) -> None:
        if scope.cancellation.canceled or self._ended:
            raise CanceledError("canceled while containers were started")

    def _expanded(self, one: JobContainer) -> JobContainer:
        """With the macros of the job's variables replaced."""

        def expand(text: str) -> str:
            value = self._job.variables.expand(text)
            return value.reveal() if isinstance(value, Secret) else value

        return replace(
            one,
            image=expand(one.image).strip(),
            env={name: expand(value) for name, value in one.env.items()},
            ports=tuple(map(expand, one.ports)),
            volumes=tuple(map(expand, one.volumes)),
            options=expand(one.options),
        )

    def _pull(
        self,
        scope: StepScope,
        engine: Engine,
        one: JobContainer,
        image: str,
        login: RegistryLogin | None,
        platform: str,
    ) -> None:
        if not image:
            raise TaskFailedError(f"the container '{one.alias}' has no image")
        if one.local_image:
            if not engine.has_image(image):
                raise TaskFailedError(f"the image {image} is not on this machine", why="'localImage' is true")
            return
        scope.say(f"Pulling {image}{f' from {login.registry} as {login.username}' if login is not None else ''}")
        done, layers = set[str](), set[str]()
        for event in engine.pull(image, login, platform):
            self._stop_if_canceled(scope)
            layer, status = str(event.get("id", "")), str(event.get("status", ""))
            if status == "Pulling fs layer":
                layers.add(layer)
            elif status in _LAYER_ENDS and "progress" not in event:
                if layer not in done and status != "Download complete":
                    scope.say(f"{layer}: {status}")
                    done.add(layer)
                    scope.progress(100 * len(done) // max(len(layers | done), 1), f"{len(done)} layers of {image}")
            elif status.startswith(("Digest:", "Status:")):
                scope.say(status)

    def _create(
        self, scope: StepScope, engine: Engine, one: JobContainer, request: CreateRequest, *, targeted: bool
    ) -> None:
        identifier = engine.create(request)
        engine.start(identifier, request.name)
        scope.say(f"Started {request.name} ({identifier[:12]})")
        found = engine.inspect(identifier)
        if not found.running and not one.service:
            scope.log.write(engine.logs(identifier))
            raise TaskFailedError(
                f"the container '{one.alias}' ended at once, with status {found.exit_code}",
                why="it has to have 'sh', and an ENTRYPOINT that runs what it is given",
                do="--entrypoint in 'options' of the container chooses another",
            )
        if targeted or not one.service:
            self._add_user(scope, engine, identifier)
        self._running[one.alias.casefold()] = Running(identifier, found.path, found.labels.get(NODE_LABEL, ""))

    def _add_user(self, scope: StepScope, engine: Engine, container: str) -> None:
        user = self.user
        passwd, group = (engine.read_file(container, path) for path in ("/etc/passwd", "/etc/group"))
        added = entries(user, passwd or "root:x:0:0:root:/root:/bin/sh\n", group or "root:x:0:\n")
        if added is not None:
            sudo = engine.read_file(container, "/etc/sudoers") is not None
            try:
                engine.unpack(container, archive(user, *added, sudo=sudo))
            except EngineError as error:  # a read-only root, say: steps have the number of a user without a name
                scope.issue("warning", f"The user {user.inner_name} cannot be added to the container: {error.why}")

    def _wait_for(self, scope: StepScope, engine: Engine, one: JobContainer) -> None:
        """Until the service is healthy; one without a check only has to run."""
        running = self._running[one.alias.casefold()]
        wait = FIRST_WAIT
        found = engine.inspect(running.id)
        while found.health == "starting" and found.running:
            scope.say(f"{one.service} service is starting, waiting {wait:g} seconds before checking again.")
            if scope.cancellation.wait(wait):
                raise CanceledError("canceled while a service was starting")
            wait = min(2 * wait, LONGEST_WAIT)
            found = engine.inspect(running.id)
        if found.running and found.health in {"", "none", "healthy"}:
            if found.health == "healthy":
                scope.say(f"{one.service} service is healthy.")
            return
        scope.say(f"Log of the service {one.service}:")
        scope.log.write(engine.logs(running.id))
        state = found.health if found.running and found.health else f"{found.status} with status {found.exit_code}"
        raise TaskFailedError(f"Failed to initialize, {one.service} service is {state}.")

    def _tell(self, engine: Engine, containers: Sequence[JobContainer], network: str) -> None:
        """The variables that containers give to a job."""
        mapping = {one.alias: {"id": self._running[one.alias.casefold()].id} for one in containers}
        told = {"Agent.ContainerMapping": json.dumps(mapping), "Agent.ContainerNetwork": network}
        for one in containers:
            if one.service:
                bound = engine.inspect(self._running[one.alias.casefold()].id).ports
                told |= {
                    f"agent.services.{one.service}.ports.{inner.partition('/')[0]}": outer
                    for inner, outer in bound.items()
                }
        self._job.define(told)


def _earlier(job: JobState) -> Path | None:
    """The workspace of an earlier attempt, where a job that goes on from one of its steps finds its sources."""
    workspace = job.workspace
    sources = Path(job.variables.text("System.DefaultWorkingDirectory") or workspace.sources)
    inside = workspace.root in sources.parents or workspace.work not in sources.parent.parents
    return None if inside else sources.parent


def _login(scope: StepScope, opened: Sequence[Connection], container: JobContainer) -> RegistryLogin | None:
    """The log-in that a registry's connection has, of whatever kind it is, or that of a subscription's identity there."""
    if not opened:
        return None
    connection = opened[0]
    if container.subscription:
        host = container.image.partition("/")[0]
        user, token = connection.registry_login(host)
        scope.learn(token, f"of the registry {host}")
        return RegistryLogin(registry=host, username=user, password=token)
    password = connection.secret("password")
    username = connection.text("username")
    if not password or not username:
        raise TaskFailedError("the connection has no user name and password", where=connection.name)
    return RegistryLogin(registry=connection.text("registry"), username=username, password=password)


@dataclass(frozen=True, slots=True)
class ContainerPlace:
    """A container of the job, as the place of a step's processes."""

    containers: JobContainers
    alias: str

    @property
    def contained(self) -> bool:
        return True

    @property
    def nodes(self) -> tuple[str, ...]:
        """The Node that the image names for tasks, its own, then the one that is mounted."""
        chosen = (self.containers.running(self.alias)[1].node, "node", self.containers.node)
        return tuple(filter(None, chosen))

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        output: Sink,
        errors: Sink | None = None,
        cancellation: Cancellation,
        graces: Graces | None = None,
    ) -> Exit:
        engine, running = self.containers.running(self.alias)
        user = self.containers.user
        command = Command(
            container=running.id,
            arguments=[self.inner(one) for one in arguments],
            cwd=self.inner(os.fspath(cwd)),
            env={**env, "PATH": self._path(env)},
            user=f"{user.uid}:{user.gid}",
            notes=self.containers.notes(),
        )
        return run_in_container(engine, command, output=output, errors=errors, cancellation=cancellation, graces=graces)

    def find(self, program: str, environment: Mapping[str, str]) -> str | None:
        engine, running = self.containers.running(self.alias)
        user = self.containers.user
        arguments = ["env", f"PATH={self._path(environment)}", "sh", "-c", _FINDS, program]
        status, text = engine.ask(running.id, arguments, f"{user.uid}:{user.gid}")
        return text.splitlines()[-1] if status == 0 and text else None

    def attached(
        self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], private: Path
    ) -> tuple[tuple[str, ...], Mapping[str, str]]:
        _, running = self.containers.running(self.alias)
        user = self.containers.user
        return exec_with_terminal(
            running.id,
            arguments,
            cwd=self.inner(os.fspath(cwd)),
            user=f"{user.uid}:{user.gid}",
            env={**env, "PATH": self._path(env)},
            host=self.containers.environ,
            private=private,
        )

    def inner(self, text: str) -> str:
        return self.containers.paths.inner(text)

    def outer(self, text: str) -> str | None:
        return self.containers.paths.outer(text)

    def _path(self, environment: Mapping[str, str]) -> str:
        """What steps have put in front, then what the pipeline or the image says."""
        own = self.containers.running(self.alias)[1].path or DEFAULT_PATH
        return ":".join([*self.containers.prepended(), environment.get("PATH") or own])
