"""The question that a waiting run asks on a terminal: permit, view, deny, leave or wait."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from sluice.authorization import texts
from sluice.cli.view import source, words
from sluice.cli.view.board import Board, stage_title
from sluice.cli.view.controls import one_line
from sluice.cli.view.keys import END, Keys, in_foreground, keys_of
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow

_MENU: Final = "[p]ermit, [v]iew, [d]eny, [l]eave, [w]ait: "
_START_MENU: Final = "[s]tart, [d]eny, [l]eave, [w]ait: "
_MAY_PERMIT: Final = "whoever is User or Administrator of it"
_DENIAL: Final = "Denying cancels what waits. Nothing is remembered: the next run asks again."
_APPROVAL_MENU: Final = "[a]pprove, [r]eject, [v]iew, [l]eave, [w]ait: "
_REJECTION: Final = "Rejecting fails the stage."
_BOLD, _NORMAL = "\x1b[1;33m", "\x1b[0m"


class Choice(enum.StrEnum):
    """What became of the question."""

    PERMIT = "permit"
    DENY = "deny"
    START = "start"
    APPROVE = "approve"
    REJECT = "reject"
    LEAVE = "leave"
    WAIT = "wait"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer: `requests` are those that are permitted, or denied.

    `WAIT` means that nobody here decides (the run waits on, and so does the command), `LEAVE` that the command ends and
    the run goes on waiting, `SETTLED` that somebody decided elsewhere meanwhile.
    """

    choice: Choice
    requests: tuple[RequestRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where the question is asked; `colour` lets the banner stand out."""

    stdin: TextIO
    stdout: TextIO
    colour: bool = False


Changes = Callable[["RequestRow"], tuple[str, Sequence[str]]]
"""What is different since when, in words, and the lines of the diff."""

_COMPUTED = "its name comes from '{}' and was known only when the step started: any step before may have set it"


def ask(
    requests: Sequence[RequestRow],
    *,
    run: RunRow,
    plan: Plan,
    screen: Screen,
    poll: Callable[[], bool],
    folder: Path | None = None,
    changes: Changes = lambda _: ("", ()),
) -> Decision:
    """Ask what to do about `requests`; `folder` is where the pipeline's files lie (default: here).

    `changes` tells what is different in them since the pipeline last received what is asked for.

    `poll` is called a few times a second while nobody types, and ends the question by answering true. Ctrl-C is a
    `KeyboardInterrupt`; the terminal is put back first. In the background, or at the end of input, the answer is WAIT.
    """
    if not requests or not in_foreground(screen.stdin):
        return Decision(Choice.WAIT)
    with keys_of(screen.stdin) as keys:
        by_hand = all(request.resource_type == texts.STAGE for request in requests)
        approvals = all(request.resource_type == texts.APPROVAL for request in requests)
        kind = _StartQuestion if by_hand else _ApprovalQuestion if approvals else _Question
        question = kind(requests, run, plan, screen, keys, poll, folder or Path(), changes)
        try:
            return question.ask()
        except _SettledElsewhere:
            question.say("", "Decided elsewhere.")
            return Decision(Choice.SETTLED)


class _SettledElsewhere(Exception):  # noqa: N818  # ends the question from any depth; never leaves this module
    """Poll says that the question is over."""


class _Question:
    def __init__(
        self,
        requests: Sequence[RequestRow],
        run: RunRow,
        plan: Plan,
        screen: Screen,
        keys: Keys,
        poll: Callable[[], bool],
        folder: Path,
        changes: Changes,
    ) -> None:
        self._requests = tuple(requests)
        # A Permit is the pipeline's: a resource that two stages wait for is asked about once.
        self._resources = tuple({(r.resource_type, r.resource_id): r for r in reversed(requests)}.values())[::-1]
        self._board = Board(run, plan)
        self._board.requests = self._requests
        self._screen = screen
        self._keys = keys
        self._poll = poll
        self._folder = folder
        self._changes = changes

    def ask(self) -> Decision:
        self._announce()
        while True:
            keys = {"p": "permit", "v": "view", "d": "deny", "l": "leave", "w": "wait", END: "wait"}
            key = self._key(_MENU, keys)
            if key == "p":
                if permitted := self._permit():
                    return Decision(Choice.PERMIT, self._all_of(permitted))
            elif key == "v":
                for request in self._resources:
                    self.say("", *self._view(request))
                self.say("")
            elif key == "d":
                self.say(_DENIAL)
                if self._sure("Deny? [y/N]: "):
                    return Decision(Choice.DENY, self._requests)
            elif key == "l":
                return Decision(Choice.LEAVE)
            else:
                self.say("The run waits. Permit it from here or from another terminal:", *self._commands())
                return Decision(Choice.WAIT)

    def say(self, *lines: str) -> None:
        """Write lines."""
        self._write("".join(f"{line}\n" for line in lines))

    def _announce(self) -> None:
        for wait in self._board.waits():
            self.say("", f"{_BOLD}{wait.banner}{_NORMAL}" if self._screen.colour else wait.banner, texts.PANEL_TITLE)
            for request in wait.requests:
                place = f"  {one_line(request.where)}" if request.where else ""
                self.say(f"  {words.resource(request)}{place}  {words.needed(request)}")
                if (text := source.written(self._board.plan, request.where, request.stage)) and "$(" in text:
                    self.say(f"    {_COMPUTED.format(one_line(text))}")

    def _permit(self) -> list[RequestRow]:
        """The resources that are permitted: each is confirmed under the documented text."""
        if len(self._resources) == 1:
            return self._confirm(self._resources, unsaid=self._resources)
        permitted: list[RequestRow] = []
        for position, request in enumerate(self._resources):
            self.say(_permit_text(request))
            answers = {"y": "yes", "n": "no", "\n": "no", "a": "all", END: "no"}
            key = self._key(f"{texts.PERMIT_TITLE} [y]es, [N]o, [a]ll that are left: ", answers, forget=True)
            if key == "y":
                permitted.append(request)
            elif key == "a":
                left = self._resources[position:]
                return permitted + self._confirm(left, unsaid=left[1:])
        return permitted

    def _confirm(self, requests: Sequence[RequestRow], unsaid: Sequence[RequestRow]) -> list[RequestRow]:
        self.say(*(_permit_text(request) for request in unsaid))
        count = f" to all {len(requests)}" if len(requests) > 1 else ""
        return list(requests) if self._sure(f"{texts.PERMIT_TITLE.removesuffix('?')}{count}? [y/N]: ") else []

    def _view(self, request: RequestRow) -> list[str]:
        run, found = self._board.run, source.naming(self._board.plan, request.where, request.stage)
        facts = {
            "pipeline": f"{one_line(run.pipeline)} ({one_line(self._board.plan.file)})",
            "stage": stage_title(self._board.plan, request.stage),
            "step": source.described(found) if found else "",
            "place": one_line(request.where),
            "run": f"{run.id}, {one_line(run.name)}, requested by {one_line(run.requested_by)}",
            "waits for": one_line(request.detail),
            "may permit": "" if request.resource_type in texts.CHECKS else _MAY_PERMIT,
        }
        lines = [words.resource(request)]
        lines += [f"  {name:<10}  {value}" for name, value in facts.items() if value]
        lines += [f"    {line}" for line in source.excerpt(request.where, self._folder)]
        since, changed = self._changes(request)
        if since:
            lines.append(f"  {since}{':' if changed else ': nothing'}")
        return lines + [f"    {line}" for line in source.diff(changed)]

    def _commands(self) -> list[str]:
        return [f"  {command}" for command in dict.fromkeys(map(words.permit_command, self._requests))]

    def _all_of(self, permitted: Sequence[RequestRow]) -> tuple[RequestRow, ...]:
        ids = {(request.resource_type, request.resource_id) for request in permitted}
        return tuple(r for r in self._requests if (r.resource_type, r.resource_id) in ids)

    def _sure(self, question: str) -> bool:
        return self._key(question, {"y": "yes", "n": "no", "\n": "no", END: "no"}, forget=True) == "y"

    def _key(self, question: str, answers: dict[str, str], *, forget: bool = False) -> str:
        """One of the keys in `answers`; with `forget` nothing typed before the question counts."""
        if forget:
            self._keys.forget()
        while True:
            self._write(question)
            key = self._keys.read(self._poll)
            if key is None:
                raise _SettledElsewhere
            if key in answers:
                self._write(f"{answers[key]}\n")
                return key
            self._write("\n")

    def _write(self, text: str) -> None:
        stream = self._screen.stdout
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()


class _StartQuestion(_Question):
    """Whether to start the stages that wait for a person."""

    def ask(self) -> Decision:
        self._announce()
        key = self._key(_START_MENU, {"s": "start", "d": "deny", "l": "leave", "w": "wait", END: "wait"})
        if key == "l":
            return Decision(Choice.LEAVE)
        if key == "s":
            return Decision(Choice.START, self._requests)
        if key == "d" and self._sure("Deny? That cancels the stage. [y/N]: "):
            return Decision(Choice.DENY, self._requests)
        self.say("The run waits. Start the stage from here or from another terminal:", *self._commands())
        return Decision(Choice.WAIT)


class _ApprovalQuestion(_Question):
    """Whether to approve what the person is an approver of."""

    def ask(self) -> Decision:
        self._announce()
        while True:
            answers = {"a": "approve", "r": "reject", "v": "view", "l": "leave", "w": "wait", END: "wait"}
            key = self._key(_APPROVAL_MENU, answers)
            if key == "l":
                return Decision(Choice.LEAVE)
            if key == "v":
                for request in self._resources:
                    self.say("", *self._view(request))
                self.say("")
            elif key == "a":
                count = f" all {len(self._requests)}" if len(self._requests) > 1 else ""
                if self._sure(f"Approve{count}? [y/N]: "):
                    return Decision(Choice.APPROVE, self._requests)
            elif key == "r":
                self.say(_REJECTION)
                if self._sure("Reject? [y/N]: "):
                    return Decision(Choice.REJECT, self._requests)
            else:
                self.say("The run waits. Approve it from here or from another terminal:", *self._commands())
                return Decision(Choice.WAIT)


def _permit_text(request: RequestRow) -> str:
    question = texts.permit_question(request.resource_type, one_line(request.resource_name))
    return f"{question} Mind: {one_line(request.detail)}." if request.detail else question
