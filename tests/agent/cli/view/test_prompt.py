from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import termios
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from sluice.cli.view.prompt import Choice, Decision, Screen, ask

PERMIT = "Granting permission here will permit the use of Service connection '{}' for all waiting and future runs"
PIPELINE = """\
pool: here

steps:
- task: SSH@0
  inputs: {sshEndpoint: build-vm,
           commands: date}
"""


def never() -> bool:
    return False


@dataclass
class Person:
    """A pseudo-terminal and somebody at it: waits for a text on the screen, then presses keys."""

    master: int
    stdin: io.TextIOWrapper
    stdout: io.TextIOWrapper
    seen: str = ""
    failures: list[str] = field(default_factory=list)
    _thread: threading.Thread | None = None

    @property
    def screen(self) -> Screen:
        return Screen(stdin=self.stdin, stdout=self.stdout)

    def does(self, *script: tuple[str, bytes]) -> None:
        self._thread = threading.Thread(target=self._act, args=(script,))
        self._thread.start()

    def _act(self, script: tuple[tuple[str, bytes], ...]) -> None:
        position = 0
        for text, keys in script:
            while (found := self.seen.find(text, position)) < 0:
                if not self._look(10):
                    self.failures.append(f"{text!r} never came")
                    for _ in range(3):  # leave every question, so that the test ends
                        os.write(self.master, b"\x04")
                        self._look(1)
                    return
            position = found + len(text)
            os.write(self.master, keys)

    def _look(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        self.seen += os.read(self.master, 4096).decode().replace("\r\n", "\n")
        return True

    def left(self) -> str:
        """Everything on the screen, once the question is over."""
        if self._thread:
            self._thread.join(15)
        while self._look(0):
            pass
        assert not self.failures
        return self.seen


@pytest.fixture
def person() -> Iterator[Person]:
    master, slave = pty.openpty()
    with os.fdopen(slave, encoding="utf-8", closefd=False) as stdin, os.fdopen(slave, "w", encoding="utf-8") as stdout:
        yield Person(master, stdin, stdout)
    os.close(master)


def question(story: Any, person: Person, *names: str, **values: Any) -> Decision:
    requests = [story.request(name) for name in names or ("build-vm",)]
    values = {"poll": never, **values}
    return ask(requests, run=story.run, plan=story.plan({"Deploy": ["Ship"]}), screen=person.screen, **values)


def modes(person: Person) -> Any:
    return termios.tcgetattr(person.stdin.fileno())


def test_permit_is_confirmed_under_the_documented_text(story: Any, person: Person) -> None:
    before = modes(person)
    person.does(("[w]ait: ", b"p"), ("Permit access? [y/N]: ", b"y"))
    decision = question(story, person)
    assert decision.choice is Choice.PERMIT
    assert [request.resource_name for request in decision.requests] == ["build-vm"]
    seen = person.left()
    assert "This pipeline needs permission to access a resource before this run can continue to Deploy it\n" in seen
    assert "Waiting for review\n" in seen
    assert "  Service connection 'build-vm'  azure-pipelines.yml:5:20  Permission needed\n" in seen
    assert f"{PERMIT.format('build-vm')} of this pipeline.\n" in seen
    assert modes(person) == before


@pytest.mark.parametrize(
    "answers",
    [
        [("[y/N]: ", b"n")],
        [("[y/N]: ", b"\n")],
        [("[y/N]: ", b"x"), ("[y/N]: ", b"N")],
        [("[y/N]: ", b"\x04")],
    ],
)
def test_anything_but_yes_permits_nothing(story: Any, person: Person, answers: list[tuple[str, bytes]]) -> None:
    person.does(("[w]ait: ", b"p"), *answers, ("[w]ait: ", b"w"))
    assert question(story, person).choice is Choice.WAIT


def test_an_arrow_key_is_no_answer(story: Any, person: Person) -> None:
    keys = iter([b"\x1b[B\x1bp", b"w"])

    def press() -> bool:
        os.write(person.master, next(keys, b"w"))
        return False

    assert question(story, person, poll=press).choice is Choice.WAIT
    assert "Permit access?" not in person.left()


def test_resources_are_permitted_one_by_one(story: Any, person: Person) -> None:
    each = "[a]ll that are left: "
    person.does(("[w]ait: ", b"p"), (each, b"n"), (each, b"y"), (each, b"n"))
    decision = question(story, person, "one", "two", "three")
    assert decision.choice is Choice.PERMIT
    assert [request.resource_name for request in decision.requests] == ["two"]


def test_all_resources_are_permitted_after_their_texts(story: Any, person: Person) -> None:
    person.does(("[w]ait: ", b"p"), ("[a]ll that are left: ", b"a"), ("Permit access to all 2? [y/N]: ", b"y"))
    decision = question(story, person, "one", "two")
    assert [request.resource_name for request in decision.requests] == ["one", "two"]
    assert PERMIT.format("two") in person.left()


def test_a_resource_that_two_stages_need_is_asked_about_once(story: Any, person: Person) -> None:
    requests = [story.request("one", stage="Deploy", id=1), story.request("one", stage="Test", id=2)]
    person.does(("[w]ait: ", b"p"), ("Permit access? [y/N]: ", b"y"))
    plan = story.plan({"Deploy": ["Ship"], "Test": ["Job"]})
    decision = ask(requests, run=story.run, plan=plan, screen=person.screen, poll=never)
    assert [request.id for request in decision.requests] == [1, 2]


def test_deny_is_confirmed_too(story: Any, person: Person) -> None:
    person.does(("[w]ait: ", b"d"), ("Deny? [y/N]: ", b"n"), ("[w]ait: ", b"d"), ("Deny? [y/N]: ", b"y"))
    assert question(story, person).choice is Choice.DENY


def test_leave_ends_the_question_and_decides_nothing(story: Any, person: Person) -> None:
    person.does(("[l]eave, [w]ait: ", b"l"))
    assert question(story, person).choice is Choice.LEAVE


def test_wait_says_how_to_permit_later(story: Any, person: Person) -> None:
    person.does(("[w]ait: ", b"W"))
    assert question(story, person).choice is Choice.WAIT
    assert "  sluice permit 12 --connection build-vm\n" in person.left()


def test_view_shows_the_step_and_the_lines_around_it(story: Any, person: Person, tmp_path: Path) -> None:
    (tmp_path / "azure-pipelines.yml").write_text(PIPELINE.replace("date", "\x1b[2Jdate"))
    person.does(("[w]ait: ", b"v"), ("[w]ait: ", b"w"))
    question(story, person, folder=tmp_path)
    seen = person.left()
    expected = """\
        Service connection 'build-vm'
          pipeline    release (azure-pipelines.yml)
          stage       Deploy it
          step        Run it there (SSH@0), job Ship
          place       azure-pipelines.yml:5:20
          run         12, 20261124.1, requested by ada
          may permit  whoever is User or Administrator of it
                 2 |
                 3 | steps:
                 4 | - task: SSH@0
            >    5 |   inputs: {sshEndpoint: build-vm,
                 6 |            commands: date}
        """
    assert textwrap.dedent(expected) in seen
    assert "\x1b" not in seen


def test_view_shows_what_changed_since_the_pipeline_last_received_it(story: Any, person: Person) -> None:
    lines = ["--- a/azure-pipelines.yml", "+  inputs: {\x1b[2JsshEndpoint: build-vm}", *["+"] * 99]
    person.does(("[w]ait: ", b"v"), ("[w]ait: ", b"w"))
    question(story, person, changes=lambda request: ("changed since run 7 used it", lines))
    seen = person.left()
    assert "  changed since run 7 used it:\n    --- a/azure-pipelines.yml\n" in seen
    assert "... 61 more lines" in seen
    assert "\x1b" not in seen


def test_view_says_when_nothing_changed_since(story: Any, person: Person) -> None:
    person.does(("[w]ait: ", b"v"), ("[w]ait: ", b"w"))
    question(story, person, changes=lambda request: ("changed since run 7 used it", ()))
    assert "  changed since run 7 used it: nothing\n" in person.left()


def test_a_name_that_a_step_may_have_set_is_told_with_the_question(story: Any, person: Person) -> None:
    plan = story.plan({"Deploy": ["Ship"]})
    (step,) = plan.stages[0].jobs[0].steps
    step.inputs["sshEndpoint"] = replace(step.inputs["sshEndpoint"], value="$(target)")
    person.does(("[w]ait: ", b"w"))
    ask([story.request("build-vm")], run=story.run, plan=plan, screen=person.screen, poll=never)
    assert "its name comes from '$(target)' and was known only when the step started" in person.left()


def test_keys_typed_before_the_question_confirm_nothing(story: Any, person: Person) -> None:
    person.does(("[w]ait: ", b"pyyy"), ("Permit access? [y/N]: ", b"n"), ("[w]ait: ", b"w"))
    assert question(story, person).choice is Choice.WAIT


def test_a_permit_from_elsewhere_ends_the_question(story: Any, person: Person) -> None:
    before = modes(person)
    calls = iter([False, False, True])
    assert question(story, person, poll=lambda: next(calls)).choice is Choice.SETTLED
    assert "Decided elsewhere." in person.left()
    assert modes(person) == before


def test_it_ends_the_confirmation_too(story: Any, person: Person) -> None:
    person.does(("[w]ait: ", b"p"))
    assert question(story, person, poll=lambda: "Permit access?" in _looked(person)).choice is Choice.SETTLED


def _looked(person: Person) -> str:
    if person._thread and not person._thread.is_alive():
        person._look(0)
    return person.seen


def test_the_terminal_is_put_back_when_the_question_is_interrupted(story: Any, person: Person) -> None:
    before = modes(person)
    in_question: list[bool] = []

    def interrupt() -> bool:
        in_question.append(modes(person) != before)
        signal.raise_signal(signal.SIGINT)
        return False

    with pytest.raises(KeyboardInterrupt):
        question(story, person, poll=interrupt)
    assert in_question == [True]
    assert modes(person) == before


def test_a_key_pressed_after_ctrl_z_still_counts(story: Any, person: Person) -> None:
    shell = modes(person)

    def put_back() -> Iterator[bool]:
        yield False
        termios.tcsetattr(person.stdin.fileno(), termios.TCSANOW, shell)  # as a shell does after `fg`
        yield False
        yield False
        os.write(person.master, b"w")
        while True:
            yield False

    calls = put_back()
    assert question(story, person, poll=lambda: next(calls)).choice is Choice.WAIT


def test_the_end_of_the_terminal_leaves_the_run_waiting(story: Any) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, closefd=False) as stdin:
        threading.Timer(0.2, os.close, (master,)).start()
        screen = Screen(stdin=stdin, stdout=io.StringIO())
        decision = ask([story.request()], run=story.run, plan=story.plan(), screen=screen, poll=never)
    os.close(slave)
    assert decision.choice is Choice.WAIT


@pytest.mark.parametrize(
    ("lines", "choice"),
    [
        ("p\ny\n", Choice.PERMIT),
        ("permit\nyes\n", Choice.PERMIT),
        ("x\n\nd\ny\n", Choice.DENY),
        ("p\n\nw\n", Choice.WAIT),
        ("", Choice.WAIT),
        ("p\n", Choice.WAIT),
        ("w", Choice.WAIT),
    ],
)
@pytest.mark.parametrize("piped", [True, False])
def test_without_a_terminal_it_reads_lines(story: Any, lines: str, choice: Choice, *, piped: bool) -> None:
    with opened(lines, piped=piped) as stdin:
        screen = Screen(stdin=stdin, stdout=io.StringIO())
        decision = ask([story.request()], run=story.run, plan=story.plan(), screen=screen, poll=never)
    assert decision.choice is choice


def opened(lines: str, *, piped: bool) -> Any:
    if not piped:
        return io.StringIO(lines)
    read, write = os.pipe()
    os.write(write, lines.encode())
    os.close(write)
    return os.fdopen(read)


@pytest.mark.parametrize("piped", [True, False])
def test_poll_ends_the_question_there_too(story: Any, *, piped: bool) -> None:
    with opened("p\ny\n", piped=piped) as stdin:
        screen = Screen(stdin=stdin, stdout=io.StringIO())
        decision = ask([story.request()], run=story.run, plan=story.plan(), screen=screen, poll=lambda: True)
    assert decision == Decision(Choice.SETTLED)


def test_hostile_names_cannot_steer_the_terminal(story: Any) -> None:
    out = io.StringIO()
    request = story.request("a\x1b[2Jb\n'evil'", where="x\x1b]0;t\x07:1:1")
    screen = Screen(stdin=io.StringIO("v\np\ny\n"), stdout=out)
    ask([request], run=story.run, plan=story.plan(), screen=screen, poll=never)
    assert not re.search("[\x00-\x09\x0b-\x1f]", out.getvalue())


def test_the_banner_stands_out_where_colours_are_wanted(story: Any) -> None:
    out = io.StringIO()
    screen = Screen(stdin=io.StringIO(""), stdout=out, colour=True)
    ask([story.request()], run=story.run, plan=story.plan(), screen=screen, poll=never)
    assert (
        "\x1b[1;33mThis pipeline needs permission to access a resource before this run can continue" in out.getvalue()
    )


def test_nothing_to_ask_is_nothing_to_decide(story: Any) -> None:
    screen = Screen(stdin=io.StringIO("p\n"), stdout=io.StringIO())
    assert ask([], run=story.run, plan=story.plan(), screen=screen, poll=never) == Decision(Choice.WAIT)


@pytest.mark.parametrize(
    ("script", "choice"),
    [
        ([("[w]ait: ", b"s")], Choice.START),
        ([("[w]ait: ", b"l")], Choice.LEAVE),
        ([("[w]ait: ", b"d"), ("[y/N]: ", b"y")], Choice.DENY),
        ([("[w]ait: ", b"d"), ("[y/N]: ", b"n")], Choice.WAIT),
        ([("[w]ait: ", b"p"), ("[w]ait: ", b"w")], Choice.WAIT),
    ],
)
def test_a_stage_that_waits_for_a_person_is_started_here(
    story: Any, person: Person, script: list[tuple[str, bytes]], choice: Choice
) -> None:
    asked = replace(story.request("Deploy"), resource_type="stage", resource_id="Deploy", resource_name="Deploy it")
    person.does(*script)
    decision = ask([asked], run=story.run, plan=story.plan({"Deploy": ["Ship"]}), screen=person.screen, poll=never)
    assert decision.choice is choice
    seen = person.left()
    assert "The stage Deploy it waits for a person to start it\n" in seen
    assert "Stage 'Deploy it'" in seen
    assert "To be started\n" in seen
    if choice is Choice.WAIT:
        assert f"  sluice runs start {story.run.id} --stage Deploy\n" in seen


@pytest.mark.parametrize(
    ("script", "choice"),
    [
        ([("[w]ait: ", b"a"), ("Approve? [y/N]: ", b"y")], Choice.APPROVE),
        ([("[w]ait: ", b"r"), ("Reject? [y/N]: ", b"y")], Choice.REJECT),
        ([("[w]ait: ", b"a"), ("[y/N]: ", b"n"), ("[w]ait: ", b"w")], Choice.WAIT),
        ([("[w]ait: ", b"v"), ("[w]ait: ", b"l")], Choice.LEAVE),
    ],
)
def test_an_approval_is_given_or_refused_here(
    story: Any, person: Person, script: list[tuple[str, bytes]], choice: Choice
) -> None:
    asked = replace(
        story.request("Deploy"),
        resource_type="approval",
        resource_id="5f0c1e2a",
        resource_name="environment production",
        where="",
        detail="alice or bob",
    )
    person.does(*script)
    decision = ask([asked], run=story.run, plan=story.plan({"Deploy": ["Ship"]}), screen=person.screen, poll=never)
    assert decision.choice is choice
    seen = person.left()
    assert "A check must pass before this run can continue to Deploy it\n" in seen
    assert "Approval 'environment production'" in seen
    assert "alice or bob" in seen
    if choice is Choice.WAIT:
        assert f"  sluice approve {story.run.id} --check 5f0c1e2a\n" in seen
