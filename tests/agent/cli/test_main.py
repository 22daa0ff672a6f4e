"""The frame of the command line: help, unknown commands, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from sluice.cli.main import COMMANDS
from sluice.cli.main import sluice as root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.agent.cli.conftest import Sluice


@pytest.mark.parametrize("arguments", [(), ("connection",), ("runs",)])
def test_a_command_without_its_arguments_shows_its_help(sluice: Sluice, arguments: tuple[str, ...]) -> None:
    said = sluice.run(*arguments)
    assert said.returncode == 2
    assert said.stderr.startswith("Usage: sluice")
    assert "\N{REPLACEMENT CHARACTER}" not in said.stderr
    assert said.stderr.count("\n") > 5


def test_an_unknown_command_offers_the_nearest(sluice: Sluice) -> None:
    assert "did you mean 'run'?" in sluice("rnu", status=2)


def test_the_version_is_told(sluice: Sluice) -> None:
    assert sluice("--version").startswith("sluice 0.")


def _commands(command: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if child := command.get_command(context, name):
                yield from _commands(child, *path, name)


EVERY = [path for path in _commands(root) if path]


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_each_help_ends_in_an_example_behind_the_options(sluice: Sluice, path: tuple[str, ...]) -> None:
    text = sluice(*path, "--help")
    end = text.rstrip().rpartition("\n\n")[2]
    assert end.strip().startswith("Example: sluice "), text
    assert text.count("Example: ") == 1
    assert text.index("Options:") < text.index("Example: ")


def test_tracebacks_may_be_asked_for_behind_a_command(sluice: Sluice) -> None:
    for arguments in (("--debug", "validate", "no.yml"), ("validate", "no.yml", "--debug")):
        assert "Traceback" in sluice.run(*arguments).stderr
    assert "no such option" not in sluice.run("connection", "list", "--debug").stderr
    assert "Traceback" not in sluice.run("validate", "--", "--debug").stderr


@pytest.fixture
def plugin(sluice: Sluice, tmp_path: Path) -> None:
    info = tmp_path / "site" / "greeting-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[sluice]\ngreeting = greeting_plugin\n")
    (tmp_path / "site" / "greeting_plugin.py").write_text(
        "import click\nfrom sluice.plugin import hookimpl\n"
        "@click.command(help='Greet the world.')\n@click.option('--debug', is_flag=True)\n"
        "def greet(debug): click.echo(f'hello {debug}')\n"
        "@hookimpl\ndef sluice_commands(): return {'greet': greet}\n"
    )
    sluice.real = True  # plugins are found once in a process
    sluice.environment["PYTHONPATH"] = str(tmp_path / "site")


def test_commands_of_plugins_are_listed_offered_and_keep_their_options(sluice: Sluice, plugin: None) -> None:
    assert "Commands of plugins:\n  greet" in sluice("--help")
    assert "did you mean 'greet'?" in sluice("gret", status=2)
    assert sluice("greet", "--debug") == "hello True\n"
    assert "greet" not in COMMANDS


def test_a_name_that_is_given_twice_is_refused(sluice: Sluice) -> None:
    sluice.folder.joinpath("p.yml").write_text("parameters:\n- name: a\n  type: string\nsteps:\n- script: echo\n")
    said = sluice("validate", "p.yml", "--parameter", "a=1", "--parameter", "A=2", status=2)
    assert said == "sluice: --parameter names 'A' twice\n"
    assert "--variable names 'v' twice" in sluice("run", "p.yml", "--variable", "v=1", "--variable", "v=2", status=2)


def test_a_database_that_others_may_use_is_warned_of(sluice: Sluice) -> None:
    sluice("audit", "list")
    database = sluice.home / "data" / "sluice.db"
    database.chmod(0o666)
    sluice.real = True
    warned = sluice.run("audit", "list")
    assert warned.returncode == 0
    assert warned.stderr.count(f"chmod 600 {database}") == 1


def test_bytes_that_are_no_text_are_refused_and_change_nothing(sluice: Sluice) -> None:
    sluice.create()
    said = sluice("connection", "update", "web", "--description", "x\udcff", status=2)
    assert "no UTF-8" in said
    assert sluice.json("connection", "show", "web")["description"] == ""
    assert "is whole" in sluice("audit", "verify")
