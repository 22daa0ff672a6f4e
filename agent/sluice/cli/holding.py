"""Asks the person at the terminal how a held job goes on, and gives them a shell in the step's place."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import click

from sluice.cli.output import plain
from sluice.cli.view.controls import one_line
from sluice.cli.view.keys import END, keys_of
from sluice.runs.identifiers import shown
from sluice.runtime.breakpoints import Answer, Held, Moment, Next, Shell, is_main

if TYPE_CHECKING:
    from sluice.cli.breakpoints import Breaks
    from sluice.cli.view.choose import View
    from sluice.runtime.request import JobRequest, StepRequest

_SHELL_NOTE: Final = (
    "A shell with the step's environment and folder. What it prints is neither masked nor kept. 'exit' leads back."
)
_ANSWERS: Final = {"r": Next.RETRY, "c": Next.CONTINUE, "k": Next.SKIP, "a": Next.ABORT}


class TerminalBreakpoints:
    """Breakpoints that ask at this process's terminal, one question at a time."""

    def __init__(self, breaks: Breaks, view: View, *, abort: Callable[[], None]) -> None:
        self._breaks = breaks
        self._view = view
        self._abort = abort
        self._lock = threading.Lock()
        self._edits: dict[str, str] = {}
        """By step: what was written last, to go on from when that failed too."""
        self.lent = False
        """Whether the terminal belongs to a shell or an editor: what is typed there, such as Ctrl-C, is not for us."""

    def holds(self, job: JobRequest, step: StepRequest, moment: Moment) -> bool:
        if moment is Moment.FAILED:
            return self._breaks.on_failure
        return is_main(step) and self._breaks.holds_before(job, step)

    def ask(self, held: Held) -> Answer:
        """As the port says; when the terminal goes away meanwhile, the job goes on as if it had not been held."""
        import termios

        try:
            return self._ask(held)
        except (OSError, termios.error):
            return Answer(next=Next.CONTINUE)

    def _ask(self, held: Held) -> Answer:
        with self._lock:
            if held.cancellation.canceled:  # while another job had the terminal
                return Answer(next=Next.CONTINUE)
            with self._view.suspended():
                answer = _Question(held, self._edits.get(held.step.id, held.script), self._lend).ask()
        if answer.script is not None:
            self._edits[held.step.id] = answer.script
        if answer.next is Next.ABORT:
            self._abort()
        return answer

    def _lend(self, start: Callable[[], None]) -> None:
        """Lend the terminal to a program, and take it back as it was."""
        self.lent = True
        try:
            with _terminal_kept():
                start()
        finally:
            self.lent = False


class _Question:
    """The question about one held job. `script` is what an editor starts with; `lend` runs what needs the terminal."""

    def __init__(self, held: Held, script: str, lend: Callable[[Callable[[], None]], None]) -> None:
        self._held = held
        self._script = script
        self._lend = lend
        self._written = ""

    def ask(self) -> Answer:
        self._announce()
        while True:
            key = self._key()
            if key is None or key == END:
                # Canceled meanwhile; or nobody is there to answer: as if the job had not been held.
                return Answer(next=Next.CONTINUE)
            if key == "s":
                self._lend(lambda: open_shell(self._held))
            elif key == "e":
                self._lend(self._edit)
                if self._written:
                    return Answer(next=Next.RETRY, script=self._written)
            else:
                return Answer(next=_ANSWERS[key])

    def _announce(self) -> None:
        held = self._held
        name = one_line(held.step.display_name)
        path = f"{shown(held.job.identifier)}.{held.step.name}"
        before = held.moment is Moment.BEFORE
        _say("", f"Held before the step '{name}' ({path})" if before else f"Held: the step '{name}' failed ({path})")
        if held.step.where:
            _say(f"  at  {one_line(held.step.where)}")
        if not before and held.message:
            _say(f"  why {one_line(held.message)}")
        _say(f"  in  {held.shell.folder}")

    def _choices(self) -> dict[str, str]:
        before = self._held.moment is Moment.BEFORE
        edit = {"e": "[e]dit and run" if before else "[e]dit and retry"} if self._held.script else {}
        rest = {"k": "s[k]ip", "a": "[a]bort"}
        if before:
            return {"s": "[s]hell", "c": "[c]ontinue", **edit, **rest}
        return {"s": "[s]hell", "r": "[r]etry", **edit, **rest, "c": "[c]ontinue"}

    def _key(self) -> str | None:
        choices = self._choices()
        words = {key: text.replace("[", "").replace("]", "") for key, text in choices.items()}
        with keys_of(sys.stdin) as keys:
            keys.forget()  # what was typed while the step ran is no answer
            while True:
                sys.stdout.write(f"{', '.join(choices.values())}: ")
                sys.stdout.flush()
                key = keys.read(lambda: self._held.cancellation.canceled)
                if key is None or key == END or key in words:
                    sys.stdout.write(f"{words.get(key or '', '')}\n")
                    sys.stdout.flush()
                    return key
                sys.stdout.write("\n")

    def _edit(self) -> None:
        """The script as the pipeline has it, macros and all; with what was written last when it failed again."""
        try:
            text = click.edit(self._script, extension=self._held.suffix)
        except click.ClickException as error:
            _say(f"{error.format_message()} (set EDITOR to an editor that is installed)")
            return
        if text is None or not text.strip() or text.rstrip("\n") == self._held.script.rstrip("\n"):
            _say("Nothing was changed.")
            return
        self._written = text


def open_shell(held: Held) -> None:
    """Run the shell of a held job until the person leaves it."""
    shell = held.shell
    if shell.missing:
        _say(f"There is no shell here: {one_line(shell.missing)}")
        return
    _say(_SHELL_NOTE)
    try:
        process = _start(shell)
    except (OSError, ValueError) as error:
        _say(f"cannot start {shlex.join(shell.arguments)}: {error}")
        return
    take_back = held.cancellation.on_kill(lambda: process.send_signal(signal.SIGHUP))
    try:
        process.wait()
    finally:
        take_back()


def _start(shell: Shell) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        shell.arguments,
        cwd=shell.start or shell.folder,
        env=shell.environment,
        stdin=sys.stdin.fileno(),
        stdout=sys.stdout.fileno(),
        stderr=sys.stdout.fileno(),
    )


@contextlib.contextmanager
def _terminal_kept() -> Iterator[None]:
    """The terminal's modes and its foreground are afterwards what they were, also when the shell was killed."""
    import termios

    terminal = sys.stdin.fileno()
    modes = termios.tcgetattr(terminal)
    try:
        yield
    finally:
        # Whoever is not in the foreground is stopped for taking the terminal, unless that signal is blocked.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            with contextlib.suppress(OSError, termios.error):
                os.tcsetpgrp(terminal, os.getpgrp())
                termios.tcsetattr(terminal, termios.TCSADRAIN, modes)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTTOU})


def _say(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(f"{plain(line)}\n")
    sys.stdout.flush()
