"""Tests that every plugin should pass; subclass `PluginConformance` in a test file of the plugin."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest

from sluice.errors import SluiceError
from sluice.hooks.connection import Connection
from sluice.hooks.declaration import ConnectionType, Family, Task
from sluice.hooks.manager import PluginHost, installed
from sluice.language.tasks import TaskCatalogue, connection_wanted
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.secret import Secret
from sluice.testing.connections import make_connection
from sluice.testing.far_side import UNFRIENDLY, Manner, far_side
from sluice.testing.samples import make_sample
from sluice.testing.soundness import problems_of
from sluice.testing.task_runner import TaskOutcome, run_task, shown_in
from sluice.values import dataclass

Values = Mapping[str, str]


class PluginConformance:
    """What a plugin owes its users: a sound declaration, verifications that fail well, handlers that keep secrets and stop.

    ::

        class TestDepot(PluginConformance):
            plugin = sluice_depot
            inputs = {"DepotPut@1": {"contents": "*.txt"}}

    `plugin` is the plugin's module. `samples` has values that cannot be made up, by `type` or `type/scheme` and key.
    `inputs` has the inputs of tasks, by reference, without those that name connections; `files` what lies in their
    sources folder. Tasks in `unrun` are not run, with the reason. `manners` are the far sides that verifications meet;
    one will do where they ask somebody else. For a connection that takes more than values
    override `connection`; it may answer None for one that has no address which a test could set.
    """

    plugin: ModuleType
    samples: ClassVar[Mapping[str, Values]] = {}
    inputs: ClassVar[Mapping[str, Values]] = {}
    files: ClassVar[Values] = {"sample.txt": "sample\n"}
    unrun: ClassVar[Values] = {}
    manners: ClassVar[Sequence[Manner]] = UNFRIENDLY
    limit_seconds: ClassVar[float] = 60.0
    """So long a verification or a handler may take with a far side that answers at once, or after a cancellation."""

    def connection(self, kind: ConnectionType, scheme: str, address: str) -> Connection | None:
        """A made-up connection of a type and scheme to `address` (`http://127.0.0.1:PORT`)."""
        given = {**self.samples.get(kind.name, {}), **self.samples.get(f"{kind.name}/{scheme}", {})}
        sample = make_sample(kind, scheme, address=address, given=given)
        secrets = {key: secret.reveal() for key, secret in sample.secrets.items()}
        url = sample.url or address
        return make_connection(kind, "sample", url=url, scheme=scheme, values={**sample.values, **secrets})

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each verification, far side and task."""
        family = _family(self.plugin)
        if "tried" in metafunc.fixturenames:
            tried = [
                _Tried(kind, scheme.name if scheme else "", family.verify[name])
                for kind in family.types
                for name in family.verify
                if name.casefold() == kind.name.casefold()
                for scheme in kind.schemes or (None,)
            ]
            metafunc.parametrize("tried", tried, ids=[f"{one.kind.name}-{one.scheme}" for one in tried])
        if "manner" in metafunc.fixturenames:
            metafunc.parametrize("manner", self.manners)
        if "answer" in metafunc.fixturenames:
            metafunc.parametrize("answer", ("not there", "refuses"))
        if "task" in metafunc.fixturenames:
            tasks = [one for one in family.tasks if one.reference not in self.unrun]
            metafunc.parametrize("task", tasks, ids=[one.reference for one in tasks])

    def test_it_loads_as_a_plugin(self) -> None:
        name = self.plugin.__name__
        report = PluginHost([EntryPoint(name, name, "sluice")]).reports[0]
        assert (report.state, report.problem) == ("loaded", "")
        assert report.hooks, f"{name} implements no hook: mark it with @hookimpl"

    def test_loading_it_imports_no_library(self) -> None:
        """Listing plugins stays quick, and works where a library is missing."""
        name = self.plugin.__name__
        code = (
            "import sys, sluice.plugin, sluice.hooks.declaration, pluggy\n"
            "before = set(sys.modules)\n"
            f"module = __import__('importlib').import_module({name!r})\n"
            "getattr(module, 'sluice_family', dict)()\n"
            "new = {one.partition('.')[0] for one in set(sys.modules) - before}\n"
            f"known = {{*sys.stdlib_module_names, 'sluice', {name.partition('.')[0]!r}}}\n"
            "print(*sorted(one for one in new - known if not one.startswith('_')))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.stdout.split(), done.stderr) == ([], "")

    def test_the_declaration_is_sound(self) -> None:
        assert problems_of(_family(self.plugin), installed().types) == []

    def test_every_type_can_be_tried(self) -> None:
        """A type that cannot be verified leaves a person with a failing pipeline in place of an answer."""
        family = _family(self.plugin)
        verified = {name.casefold() for name in family.verify}
        assert [kind.name for kind in family.types if kind.name.casefold() not in verified] == []

    def test_a_verification_fails_well(
        self, tried: _Tried, manner: Manner, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """It raises an error that a person can act on, in time, with words, and shows no secret anywhere."""
        with far_side(manner) as place:
            connection = self.connection(tried.kind, tried.scheme, place.address)
            if connection is None:
                pytest.skip(f"no far side can be set for {tried.kind.name} {tried.scheme}")
            error = _refusal(tried, connection, self.limit_seconds)
        assert isinstance(error, SluiceError), "".join(traceback.format_exception(error))
        assert str(error).strip(), f"{type(error).__name__} without a word"
        told = (
            "".join(traceback.format_exception(error)) + repr(vars(error)) + "".join(capfd.readouterr()) + caplog.text
        )
        assert _shown(connection.secrets(), told) == []

    def test_a_handler_keeps_secrets(
        self,
        task: Task,
        answer: Manner,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Whatever it comes to: no secret in its log, its output variables, on standard output, or left in the sources."""
        self._lay_out(tmp_path)
        with far_side(answer) as place:
            opened = self._opened(task, place.address)
            outcome = self._run(task, opened, tmp_path, Cancellation())
        secrets = [secret for connection in opened.values() for secret in connection.secrets()]
        assert not any(map(outcome.shows, secrets)), outcome.log
        assert _shown(secrets, "\n".join([*capfd.readouterr(), caplog.text])) == []
        restored = {path.resolve() for path in outcome.restored}
        left = [path for path in tmp_path.rglob("*") if path.is_file() and path.resolve() not in restored]
        assert [path.name for path in left if _shown(secrets, path.read_text("utf-8", "replace"))] == []

    def test_a_handler_stops_when_it_is_canceled(self, task: Task, tmp_path: Path) -> None:
        """With a far side that says nothing: it ends in time, and does not say that it succeeded."""
        self._lay_out(tmp_path)
        cancellation = Cancellation()
        ended = threading.Event()
        outcomes: list[TaskOutcome] = []
        raised: list[BaseException] = []
        with far_side("says nothing") as place:
            opened = self._opened(task, place.address)

            def work() -> None:
                try:
                    outcomes.append(self._run(task, opened, tmp_path, cancellation))
                except BaseException as error:  # noqa: BLE001  # raised below, in the test's own thread
                    raised.append(error)
                finally:
                    ended.set()
                    place.reached.set()

            threading.Thread(target=work, daemon=True).start()
            assert place.reached.wait(self.limit_seconds), f"{task.reference} neither asked its far side nor ended"
            by_itself = ended.is_set()
            cancellation.cancel()
            assert ended.wait(self.limit_seconds), f"{task.reference} went on although it was canceled"
        if raised:
            raise raised[0]
        assert by_itself or outcomes[0].result in {Result.CANCELED, Result.FAILED}, outcomes[0].log

    def _lay_out(self, sources: Path) -> None:
        for name, text in self.files.items():
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            (sources / name).write_text(text)

    def _run(
        self, task: Task, opened: Mapping[str, Connection], sources: Path, cancellation: Cancellation
    ) -> TaskOutcome:
        inputs = self.inputs.get(task.reference, {})
        return run_task(task, inputs=inputs, connections=opened, sources=sources, cancellation=cancellation)

    def _opened(self, task: Task, address: str) -> dict[str, Connection]:
        """A connection for every input of the task that takes one of a type of this plugin."""
        definition = TaskCatalogue((task,)).find(task.reference)
        types = {kind.name.casefold(): kind for kind in _family(self.plugin).types}
        found: dict[str, Connection] = {}
        for one in definition.inputs if definition else ():
            wanted = connection_wanted(one.type)
            kind = types.get(wanted.type.casefold()) if wanted else None
            if kind is None or wanted is None:
                continue
            scheme = next(iter(wanted.schemes), kind.schemes[0].name if kind.schemes else "")
            connection = self.connection(kind, scheme, address)
            if connection is not None:
                found[one.name] = connection
        return found


@dataclass(frozen=True, slots=True)
class _Tried:
    """A verification of a type under one scheme."""

    kind: ConnectionType
    scheme: str
    verify: Callable[[Connection], str]


def _family(module: ModuleType) -> Family:
    offer = getattr(module, "sluice_family", None)
    family = offer() if offer is not None else Family()
    if not isinstance(family, Family):
        raise TypeError(f"{module.__name__}.sluice_family answered a {type(family).__name__}, not a Family")
    return family


def _refusal(tried: _Tried, connection: Connection, seconds: float) -> BaseException:
    """What a verification raises; fails the test when it raises nothing, or does not come back."""
    raised: list[BaseException] = []
    answers: list[str] = []

    def work() -> None:
        try:
            answers.append(tried.verify(connection))
        except BaseException as error:  # noqa: BLE001  # the test looks at it
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        pytest.fail(f"the verification of {tried.kind.name} does not come back")
    if answers:
        pytest.fail(f"the verification of {tried.kind.name} found nothing wrong: {answers[0]}")
    return raised[0]


def _shown(secrets: Iterable[Secret], text: str) -> list[str]:
    """The first characters of each secret that a text shows."""
    return [f"{secret.reveal()[:12]}..." for secret in secrets if shown_in(text, secret)]
