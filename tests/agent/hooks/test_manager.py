"""The plugin host: one broken plugin never stops the others."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from sluice.errors import PluginError
from sluice.hooks.manager import PluginHost
from sluice.hooks.observation import RunEvent

GOOD = """
from sluice.plugin import ConnectionType, Family, Login, RepositoryRule, Task, hookimpl
def handle(run): ...
def verify(connection): return "fine"
@hookimpl
def sluice_family():
    kind = ConnectionType("{name}", "{name}")
    rule = RepositoryRule(types=("git",), url=lambda repository, connection: "", login=lambda connection: Login())
    return Family(
        types=(kind,),
        verify={{"{name}": verify}},
        tasks=(Task("{name}@1", handle),),
        prepare={{"{name}": lambda connection: connection}},
        repositories={{"{name}": rule}},
    )
"""


class _Maker:
    """Writes plugin modules and makes their entry points."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def __call__(self, name: str, source: str) -> EntryPoint:
        self.count += 1
        module = f"made_up_plugin_{self.folder.name.replace('-', '_')}_{self.count}"
        (self.folder / f"{module}.py").write_text(source)
        return EntryPoint(name, module, "sluice")


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Maker:
    monkeypatch.syspath_prepend(tmp_path)
    return _Maker(tmp_path)


def states(host: PluginHost) -> dict[str, str]:
    return {report.name: report.state for report in host.reports}


def test_what_a_plugin_declares_is_found_by_casefolded_name(plugin: _Maker) -> None:
    host = PluginHost([plugin("acme", GOOD.format(name="Acme"))])
    assert host.types["acme"].name == "Acme"
    assert host.tasks["acme@1"].reference == "Acme@1"
    assert set(host.verifiers) == set(host.preparations) == set(host.repositories) == {"acme"}
    (report,) = host.reports
    assert (report.state, report.hooks) == ("loaded", ("sluice_family",))


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        (
            "from sluice.plugin import hookimpl\n@hookimpl\ndef sluice_famly(): ...",
            "unknown hook 'sluice_famly'; did you mean 'sluice_family'?",
        ),
        (
            "from sluice.plugin import hookimpl\n@hookimpl\ndef sluice_run_event(event, what): ...",
            "what",
        ),
        (
            "from sluice.plugin import hookimpl\n@hookimpl\ndef sluice_family(): raise ValueError('no')",
            "sluice_family failed: ValueError: no",
        ),
    ],
)
def test_a_broken_plugin_is_reported_and_the_rest_works(plugin: _Maker, source: str, problem: str) -> None:
    host = PluginHost([plugin("bad", source), plugin("acme", GOOD.format(name="Acme"))])
    assert states(host) == {"bad": "broken", "acme": "loaded"}
    assert problem in next(report.problem for report in host.reports if report.name == "bad")
    assert set(host.types) == {"acme"}


@pytest.mark.parametrize("answer", ["None", "[]", "'x'", "Family"])
def test_a_family_that_is_none_breaks_its_plugin_alone(plugin: _Maker, answer: str) -> None:
    source = f"from sluice.plugin import Family, hookimpl\n@hookimpl\ndef sluice_family(): return {answer}"
    host = PluginHost([plugin("bad", source), plugin("acme", GOOD.format(name="Acme"))])
    assert set(host.types) == {"acme"}
    assert states(host) == {"bad": "broken", "acme": "loaded"}


def test_a_disabled_plugin_is_not_even_imported(plugin: _Maker) -> None:
    host = PluginHost([plugin("bad", "raise SystemExit(3)")], frozenset({"bad"}))
    assert states(host) == {"bad": "disabled"}


def test_two_plugins_that_offer_one_type_are_both_named(plugin: _Maker) -> None:
    host = PluginHost([plugin("one", GOOD.format(name="Acme")), plugin("two", GOOD.format(name="ACME"))])
    with pytest.raises(PluginError, match=r"'ACME' is offered by two plugins, 'one' and 'two'"):
        _ = host.types


def test_two_entry_points_of_one_name_keep_the_first(plugin: _Maker) -> None:
    host = PluginHost([plugin("acme", GOOD.format(name="Acme")), plugin("acme", GOOD.format(name="Other"))])
    assert set(host.types) == {"acme"}
    assert [report.state for report in host.reports] == ["loaded", "broken"]


def test_an_observer_that_raises_is_reported_once_and_the_others_go_on(
    plugin: _Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    watcher = "from sluice.plugin import hookimpl\nseen = []\n@hookimpl\ndef sluice_run_event(event): {body}\n"
    bad = plugin("bad", watcher.format(body="raise ValueError('no')"))
    good = plugin("good", watcher.format(body="seen.append(event.path)"))
    host = PluginHost([bad, good])
    for path in ("A", "B"):
        host.observe(RunEvent(run=1, pipeline="p", kind="Stage", path=path, state="completed"))
    assert sys.modules[good.value].seen == ["A", "B"]
    assert capsys.readouterr().err.count("plugin 'bad' failed") == 1


def test_secret_sources_key_providers_and_commands_come_by_name(plugin: _Maker) -> None:
    source = (
        "import click\nfrom sluice.plugin import hookimpl, Secret\n"
        "@hookimpl\ndef sluice_secret_sources(): return {'vault': Secret}\n"
        "@hookimpl\ndef sluice_key_providers(): return {'acme': object()}\n"
        "@hookimpl\ndef sluice_commands(): return {'acme': click.Command('acme')}\n"
    )
    host = PluginHost([plugin("acme", source)])
    assert set(host.secret_sources) == {"vault"}
    assert set(host.key_providers) == {"acme"}
    assert set(host.commands) == {"acme"}


@pytest.mark.parametrize("answer", ["1 // 0", "[]", "None"])
def test_a_plugin_that_fails_to_offer_sources_is_broken_alone(plugin: _Maker, answer: str) -> None:
    hook = "from sluice.plugin import hookimpl, Secret\n@hookimpl\ndef sluice_secret_sources(): return {answer}\n"
    host = PluginHost(
        [plugin("bad", hook.format(answer=answer)), plugin("good", hook.format(answer="{'vault': Secret}"))]
    )
    assert set(host.secret_sources) == {"vault"}
    assert states(host) == {"bad": "broken", "good": "loaded"}


def test_the_environment_disables_plugins_by_name() -> None:
    code = (
        "from sluice.hooks.manager import installed; "
        "print({report.name: report.state for report in installed().reports}['ssh'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={"SLUICE_DISABLE_PLUGINS": "x, ssh"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert result.stdout.strip() == "disabled"


def test_listing_the_bundled_plugins_imports_no_library_of_theirs() -> None:
    code = (
        "import sys; from sluice.hooks.manager import installed; "
        "assert all(report.state == 'loaded' for report in installed().reports), installed().reports; "
        "assert installed().types; "
        "print(sorted({'paramiko', 'requests', 'cryptography', 'sqlalchemy'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == "[]"


CHECKS = """
from sluice.plugin import CheckType, Decision, hookimpl
@hookimpl
def sluice_check_types():
    return (CheckType("{name}", "{name}", lambda run: Decision.approved()),)
"""


def test_kinds_of_checks_come_from_plugins_and_a_wrong_answer_breaks_only_its_own(plugin: _Maker) -> None:
    wrong = "from sluice.plugin import hookimpl\n@hookimpl\ndef sluice_check_types(): return ('text',)\n"
    host = PluginHost([plugin("acme", CHECKS.format(name="Weather")), plugin("odd", wrong)])
    assert list(host.check_types) == ["weather"]
    assert states(host) == {"acme": "loaded", "odd": "broken"}


def test_two_plugins_with_one_kind_of_check_are_an_error_that_names_both(plugin: _Maker) -> None:
    host = PluginHost([plugin(name, CHECKS.format(name="weather")) for name in ("acme", "other")])
    with pytest.raises(PluginError, match=r"acme.*other"):
        _ = host.check_types
