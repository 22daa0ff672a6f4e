"""What logging commands do to a step and its job. Every command is carried out or answered; none is swallowed."""

from __future__ import annotations

import json
import os
import re
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import SluiceError, TaskFailedError
from sluice.runtime.logging_commands import KEYWORD, Command, parse, unescape
from sluice.runtime.request import JobVariable
from sluice.runtime.restrictions import may_run, may_set
from sluice.runtime.results import read_result
from sluice.runtime.step_scope import REFUSED_VARIABLE, StepScope
from sluice.secret import Secret

if TYPE_CHECKING:
    from sluice.runtime.keeping_commands import KeepingCommands

DONE_SECONDS = 5.0
"""So long a process may go on when its task has said that it is done."""

HELP = "https://aka.ms/vsts-cmds"
_KEPT = frozenset(
    {
        "artifact.associate",
        "artifact.upload",
        "build.addbuildtag",
        "build.updatebuildnumber",
        "build.uploadlog",
        "build.uploadsummary",
        "codecoverage.publish",
        "results.publish",
        "task.addattachment",
        "task.logdetail",
        "task.uploadfile",
        "task.uploadsummary",
    }
)
"""Commands that leave something behind, see `keeping_commands`."""

_NOT_YET = {
    **dict.fromkeys(_KEPT, "there is no run that could keep it"),
    "results.publishtoevidencestore": "test results are not kept",
}
"""Commands whose data is checked and then goes nowhere: some of them in a run, all of them without one."""

_BEGINNING = re.compile(r"##vso\[", re.IGNORECASE)
_SECRET_ANYWAY = re.compile(r"issecret\s*=\s*true|setsecret", re.IGNORECASE)
"""Behind a beginning: a line that was meant to tell a secret, though it is no command."""

_FILES = {"task.addattachment", "task.uploadfile", "task.uploadsummary", "build.uploadlog", "build.uploadsummary"}
_AREAS = frozenset({"task", "artifact", "build", "results", "codecoverage", "telemetry", "release"})


class CommandError(TaskFailedError):
    """A command that cannot be carried out; it fails the step."""


class CommandProcessor:
    """Carries out the commands in one step's output, one at a time."""

    def __init__(self, scope: StepScope) -> None:
        self._scope = scope
        self._lock = threading.RLock()
        self._keeping: KeepingCommands | None = None
        self._effects: dict[str, Callable[[Command], None]] = {
            "task.complete": self._complete,
            "task.debug": lambda command: self._scope.debug(command.data),
            "task.issue": self._issue,
            "task.logissue": self._issue,
            "task.prependpath": self._prepend_path,
            "task.setendpoint": self._set_endpoint,
            "task.setprogress": self._progress,
            "task.setsecret": lambda _: None,  # its data is masked already
            "task.settaskvariable": self._task_variable,
            "task.setvariable": self._variable,
            "telemetry.publish": self._telemetry,
        }

    def run(self, line: str) -> bool:
        """Carry out the command in a line; False when the line has to be logged as text as well."""
        with self._lock:
            command = parse(
                line, unescape_percents=self._scope.job.variables.text("DECODE_PERCENTS").lower() != "false"
            )
            self._learn(command, line)
            if command is None:
                if KEYWORD.decode() in line:
                    self._scope.issue(
                        "warning",
                        f"'{line}' contains logging command keyword '##vso', but it's not a legal command. "
                        f"Please see the list of accepted commands: {HELP}",
                    )
                return False
            return self._run(command, line)

    def _learn(self, command: Command | None, line: str) -> None:
        """A secret is masked before anything else happens: also a refusal shows the line that holds it."""
        if command is None:
            # Two searches, each once through the line: one expression for both would begin again at every `##vso[`.
            if (found := _BEGINNING.search(line)) and _SECRET_ANYWAY.search(line, found.end()):
                meant = line[found.start() :]
                self._secret(meant.partition("]")[2] or meant.rpartition(";")[2])
        elif command.flag("issecret") or command.event == "setsecret":
            name = command.properties.get("variable", "task.setsecret")
            self._secret(command.data, name)
            if "%AZP25" in command.data:  # DECODE_PERCENTS is false: what it stands for is no less a secret
                self._secret(unescape(command.data), name)

    def _run(self, command: Command, line: str) -> bool:
        scope = self._scope
        if command.area not in _AREAS:
            scope.issue(
                "warning",
                f"Cannot find command extension for ##vso[{command.area}.command]. "
                f"Please reference documentation ({HELP})",
            )
            return True
        if not may_run(scope.step, command.name):
            scope.issue(
                "warning",
                f"##vso[{command.name}] is not allowed in this step due to policy restrictions. "
                "Please reference documentation (https://aka.ms/azpipelines-restrictions)",
            )
            return True
        if command.area == "release":
            scope.fail(
                f"{command.area} commands are not supported for build flow. Please reference documentation ({HELP})"
            )
            return False
        try:
            self._carry_out(command)
        except CommandError as error:
            scope.issue(
                "error", f"Unable to process command '{line}' successfully. Please reference documentation ({HELP})"
            )
            scope.fail(str(error))
            return True
        if command.name != "task.debug":
            scope.debug(f"Processed: {unescape(line)}")
        return True

    def _carry_out(self, command: Command) -> None:
        effect = self._effects.get(command.name)
        if effect is not None:
            effect(command)
        elif command.name in _KEPT and self._scope.job.keeper is not None:
            self._keep(command)
        elif command.name in _NOT_YET:
            self._not_yet(command)
        else:
            raise CommandError(
                f"##vso[{command.name}] is not a recognized command for {command.area} command extension."
            )

    def _variable(self, command: Command) -> None:
        scope = self._scope
        name = self._required(command, "variable")
        value = self._value(command)
        if not self._may_set(name):
            return
        output = command.flag("isoutput") or name.lower() in scope.declared_outputs
        if scope.job.variables.is_predefined(f"{scope.step.name}.{name}" if output else name):
            raise CommandError(f"Overwriting readonly variable '{name}' is not permitted. {_READONLY_HELP}")
        if output:
            scope.set_output(name, value)
            return
        scope.set_variable(
            JobVariable(
                name=name,
                value=value,
                readonly=command.flag("isreadonly"),
                preserve_case=command.flag("preservecase"),
            )
        )

    def _task_variable(self, command: Command) -> None:
        name = self._required(command, "variable")
        self._scope.set_task_variable(name, self._value(command))

    def _value(self, command: Command) -> str | Secret:
        if not command.flag("issecret"):
            return command.data
        if ("\n" in command.data or "\r" in command.data) and not self._unsafe_lines():
            raise CommandError("Secrets cannot contain multiple lines")
        return Secret(command.data)

    def _unsafe_lines(self) -> bool:
        return self._scope.job.variables.flag("system.unsafeallowmultilinesecret")

    def _secret(self, value: str, name: str = "task.setsecret") -> None:
        self._scope.learn(Secret(value), name)

    def _may_set(self, name: str) -> bool:
        if may_set(self._scope.step, name, self._scope.settable_by_task):
            return True
        self._scope.issue("warning", REFUSED_VARIABLE.format(name))
        return False

    def _prepend_path(self, command: Command) -> None:
        if not command.data:
            raise CommandError("Value cannot be null. (Parameter 'path')")
        if self._may_set("PATH"):
            job = self._scope.job
            path = self._scope.place.outer(command.data) or command.data
            with job.lock:
                if path in job.prepended:
                    job.prepended.remove(path)
                job.prepended.insert(0, path)

    def _issue(self, command: Command) -> None:
        kind = command.properties.get("type", "").lower()
        if not kind:
            self._scope.issue("warning", "Can't create TaskIssue from logging event.")
            return
        if kind not in {"error", "warning"}:
            raise CommandError(f"issue type {command.properties['type']} is not an expected issue type.")
        data = {key: value for key, value in command.properties.items() if key != "type"}
        message = command.data
        if source := data.get("sourcepath"):
            data["sourcepath"] = source = self._relative(source)
            line, column = data.get("linenumber", "0"), data.get("columnnumber", "0")
            code = f" {data['code']}" if data.get("code") else ""
            message = f"{source}({line},{column}): {kind}{code}: {message}"
        self._scope.issue(kind, message, data)

    def _relative(self, path: str) -> str:
        sources = self._scope.place.inner(os.fspath(self._scope.job.workspace.sources))
        return path[len(sources) :].lstrip("/") if path.startswith(f"{sources}/") else path

    def _complete(self, command: Command) -> None:
        result = read_result(command.properties.get("result", ""))
        if result is None:
            raise CommandError("Command doesn't have valid result value.")
        scope = self._scope
        scope.complete(result, scope.job.masker.mask_text(command.data))
        scope.progress(100, command.data)
        if command.flag("done") and not scope.done:
            scope.done = True
            timer = threading.Timer(DONE_SECONDS, scope.stop.kill)
            timer.daemon = True
            timer.start()

    def _progress(self, command: Command) -> None:
        try:
            percent = int(command.properties.get("value", "0"))
        except ValueError:
            percent = 0
        self._scope.progress(max(0, min(100, percent)), command.data)

    def _set_endpoint(self, command: Command) -> None:
        self._required(command, "id")
        self._scope.issue(
            "warning",
            "##vso[task.setendpoint] is refused: Sluice does not let log lines change service connections.",
        )

    def _telemetry(self, command: Command) -> None:
        self._required(command, "area")
        self._required(command, "feature")
        try:
            told = json.loads(command.data)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise CommandError("The data of ##vso[telemetry.publish] is not a JSON object.")
        self._scope.debug("telemetry is not sent anywhere")

    def _keep(self, command: Command) -> None:
        if self._keeping is None:
            from sluice.runtime.keeping_commands import KeepingCommands

            self._keeping = KeepingCommands(self._scope)
        try:
            self._keeping.run(command)
        except SluiceError as error:
            self._scope.job.check()
            raise CommandError(str(error)) from error

    def _not_yet(self, command: Command) -> None:
        if command.name in _FILES and not Path(command.data.strip()).is_file():
            raise CommandError(f"Cannot upload file, it does not exist: {command.data}")
        if command.name == "task.addattachment":
            self._required(command, "type")
            self._required(command, "name")
        elif command.name == "task.logdetail":
            self._guid(command, "id")
        elif command.name.startswith("artifact."):
            self._required(command, "artifactname")
        elif command.name == "results.publish":
            self._required(command, "type")
        elif command.name == "build.updatebuildnumber":
            if not command.data:
                raise CommandError("Build number is required.")
            self._scope.job.variables.set("Build.BuildNumber", command.data)
        if command.name not in self._scope.answered:
            self._scope.answered.add(command.name)
            self._scope.issue("warning", f"Sluice does not act on ##vso[{command.name}]: {_NOT_YET[command.name]}.")

    def _required(self, command: Command, key: str) -> str:
        value = command.properties.get(key, "")
        if not value:
            raise CommandError(f"Required field '{key}' is missing in ##vso[{command.name}] command.")
        return value

    def _guid(self, command: Command, key: str) -> None:
        try:
            uuid.UUID(self._required(command, key))
        except ValueError:
            raise CommandError(f"'{key}' of ##vso[{command.name}] is not a GUID.") from None


_READONLY_HELP = (
    "See https://github.com/microsoft/azure-pipelines-yaml/blob/master/design/readonly-variables.md for details."
)
