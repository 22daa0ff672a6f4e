"""The command as a person types it: a real process with a home of its own."""

from __future__ import annotations

import codecs
import contextlib
import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

SECRET = "hunter2-very-secret-0815"


class Sluice:
    """Runs the command in a home of its own and notes everything that it prints."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.folder = folder
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "PYTEST"))
        } | {"SLUICE_HOME": str(self.home)}
        self.printed = ""
        self.real = False

    def __call__(self, *arguments: str, given: str | None = None, status: int = 0) -> str:
        """Run it; answers what it prints, or when it is to fail, what it says of that."""
        result = self.run(*arguments, given=given)
        assert result.returncode == status, result.stderr
        if status:
            assert "Traceback" not in result.stderr
            return result.stderr
        return result.stdout

    def run(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run it, however that ends: here and now, or as a process of its own when `real` is set."""
        result = (self._run_process if self.real else self._run_here)(arguments, given)
        self.printed += result.stdout + result.stderr
        return result

    def _run_process(self, arguments: Sequence[str], given: str | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sluice", *arguments],
            env=self.environment,
            cwd=self.folder,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def _run_here(self, arguments: Sequence[str], given: str | None) -> subprocess.CompletedProcess[str]:
        from sluice.cli.main import main

        output, errors, status = io.StringIO(), io.StringIO(), 0
        with (
            mock.patch.dict(os.environ, self.environment, clear=True),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO((given or "").encode()))),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            try:
                main(arguments)
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 0
        return subprocess.CompletedProcess(arguments, status, output.getvalue(), errors.getvalue())

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--output", "json"))

    def json_of_failure(self, *arguments: str) -> Any:
        """What a command that fails prints as data."""
        result = self.run(*arguments, "--output", "json")
        assert result.returncode == 1, result.stderr
        return json.loads(result.stdout)

    def create(self, name: str = "web", *more: str, given: str | None = SECRET) -> str:
        secret = ("--secret", "password=-") if given is not None else ()
        fields = ("--type", "ssh", "--set", "Host=web.invalid", "--set", "username=deploy")
        return self("connection", "create", name, *fields, *secret, *more, given=given)

    def on_a_terminal(
        self, arguments: Sequence[str], answers: Sequence[tuple[str, str | Callable[[], str]]]
    ) -> tuple[int, str]:
        """Run it on a terminal; each answer is typed when its question shows. Answers the status and what showed.

        A function in place of an answer is called then, and what it answers is typed.
        """
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(sys.executable, [sys.executable, "-m", "sluice", *arguments], self.environment)
        shown, left = "", list(answers)
        decoder = codecs.getincrementaldecoder("utf-8")()  # what is read may end within a character
        while True:
            if not select.select([terminal], [], [], 30)[0]:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                raise TimeoutError(shown)
            try:
                read = os.read(terminal, 4096)
            except OSError:
                break
            if not read:
                break
            shown += decoder.decode(read)
            if left and left[0][0] in shown.rpartition("\x00")[2]:
                answer = left.pop(0)[1]
                os.write(terminal, (answer if isinstance(answer, str) else answer()).encode())
                shown += "\x00"
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(terminal)
        self.printed += shown
        return status, shown.replace("\x00", "")


@pytest.fixture
def sluice(tmp_path: Path) -> Sluice:
    return Sluice(tmp_path)
