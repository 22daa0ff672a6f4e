"""`sluice run`: what it refuses in one line, and what is left when something gives way under it."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.cli.run import pairs
from sluice.errors import UsageError

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

HELLO = "steps:\n- checkout: none\n- bash: echo hello\n"


def pipeline(sluice: Sluice, text: str = HELLO) -> Path:
    path = sluice.folder / "azure-pipelines.yml"
    path.write_text(text)
    return path


def one_line(printed: str) -> str:
    (line,) = printed.splitlines()
    return line


def edit(sluice: Sluice, statement: str) -> None:
    database = sqlite3.connect(sluice.home / "data" / "sluice.db")
    with database:
        database.execute(statement)
    database.close()


def test_pairs_are_names_and_values() -> None:
    assert pairs("variable", ["a=1", "b = x=y", "c="]) == {"a": "1", "b": " x=y", "c": ""}
    for wrong in ("a", "=1", " =1"):
        with pytest.raises(UsageError, match="--variable takes NAME=VALUE"):
            pairs("variable", [wrong])


def test_a_database_of_a_newer_version_is_left_alone(sluice: Sluice) -> None:
    pipeline(sluice)
    sluice("run", "--non-interactive")
    edit(sluice, "UPDATE alembic_version SET version_num = '9999'")
    assert "written by a newer version of Sluice" in one_line(sluice("run", status=1))


def test_a_key_file_that_others_can_read_stops_a_run_before_it_is_made(sluice: Sluice) -> None:
    pipeline(sluice)
    sluice("run", "--non-interactive")
    key = sluice.home / "keys" / "master.json"
    key.chmod(0o644)
    assert "the key file is open to others" in one_line(sluice("run", status=1))
    key.chmod(0o600)
    assert [run["id"] for run in sluice.json("runs", "list")] == [1]


def test_a_key_file_that_is_lost_while_a_run_waits_stops_it_where_it_is(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, "steps:\n- task: SSH@0\n  inputs: {sshEndpoint: web, runOptions: inline, inline: 'true'}\n")
    sluice("run", "--non-interactive", status=4)
    sluice("permit", "1")
    key = sluice.home / "keys" / "master.json"
    content = key.read_bytes()
    key.write_text("{")
    assert "the key file is damaged" in one_line(sluice("resume", "1", status=1))
    key.write_bytes(content)
    sluice("resume", "1", "--non-interactive", status=1)  # there is no such host
    assert sluice.json("runs", "show", "1")["state"] == "completed"


def test_a_secret_that_somebody_edited_fails_the_step_that_needs_it(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice, "steps:\n- task: SSH@0\n  inputs: {sshEndpoint: web, runOptions: inline, inline: 'true'}\n")
    edit(sluice, "UPDATE connections SET sealed = x'00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'")
    ended = sluice.run("run", "--non-interactive", "--permit", "web")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "sealed" in ended.stdout or "opened" in ended.stdout
    assert sluice.json("runs", "show", "1")["result"] == "Failed"


def test_a_full_disk_stops_a_run_with_one_line_and_loses_nothing_that_was_finished(sluice: Sluice) -> None:
    steps = f"{HELLO}- bash: head -c 8000000 /dev/zero | tr '\\0' x; sleep 1000\n- bash: echo never\n"
    pipeline(sluice, steps)
    ended = subprocess.run(
        [sys.executable, "-m", "sluice", "run", "--non-interactive"],
        env=sluice.environment,
        cwd=sluice.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000)),
    )
    assert ended.returncode == 1
    assert "cannot be written" in one_line(ended.stderr)
    state = sluice.json("runs", "show", "1")
    assert state["state"] == "inProgress"
    sluice("resume", "1", "--non-interactive", status=1)
    results = {one["identifier"]: one["result"] for one in sluice.json("runs", "show", "1")["records"]}
    assert [results[f"Job.__default.Bash{number}"] for number in (1, 2, 3)] == ["Succeeded", "Abandoned", "Skipped"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("- a\n- b\n", "a pipeline has to be a mapping"),
        ("steps:\n- bash: [unclosed\n", "azure-pipelines.yml:"),
        ("steps:\n- bash: a\n  bsh: b\n", "unknown key 'bsh'"),
        ("steps:\n- task: Nothing@1\n", "unknown task 'Nothing@1'"),
        ("steps: 7\n", "azure-pipelines.yml:1:8"),
        ("stages:\n- stage: A\n  dependsOn: A\n  jobs: [{job: J, steps: [{bash: a}]}]\n", "azure-pipelines.yml:"),
        ("a: &a [*a]\n", "azure-pipelines.yml:"),
        ("steps:\n- bash: a\n  condition: nonsense(\n", "azure-pipelines.yml:3:14"),
    ],
)
def test_a_pipeline_that_does_not_compile_is_no_run(sluice: Sluice, text: str, said: str) -> None:
    pipeline(sluice, text)
    printed = sluice("run", status=2)
    assert said in printed
    assert all(line.startswith("sluice: ") for line in printed.splitlines())
    assert "No runs yet" in sluice("runs", "list")


def test_a_bomb_of_aliases_is_refused_in_no_time(sluice: Sluice) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    pipeline(sluice, f"l0: &l0 [x]\n{levels}steps:\n- bash: a\n")
    assert "azure-pipelines.yml" in sluice("run", status=2)


def test_files_that_cannot_be_read_are_named(sluice: Sluice) -> None:
    assert one_line(sluice("run", "gone.yml", status=2)) == (
        f"sluice: there is no file '{sluice.folder / 'gone.yml'}' (name the pipeline: sluice run FILE)"
    )
    assert "is a folder" in one_line(sluice("run", ".", status=2))
    (sluice.folder / "odd.yml").write_bytes(b"steps:\n- bash: \xff\xfe\n")
    assert "odd.yml" in one_line(sluice("run", "odd.yml", status=2))


def stored(sluice: Sluice) -> dict[str, int]:
    """How many rows of what a run leaves behind are stored."""
    database = sqlite3.connect(sluice.home / "data" / "sluice.db")
    tables = ("projects", "pipelines", "permissions", "runs", "audit")
    found = {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
    database.close()
    return found


@pytest.mark.parametrize("arguments", [["nofile.yml"], ["bad.yml"], ["--project", ""], ["--stage", "Nope"]])
def test_a_run_that_is_refused_leaves_nothing_behind(sluice: Sluice, arguments: list[str]) -> None:
    sluice.create("web")
    pipeline(sluice)
    (sluice.folder / "bad.yml").write_text("steps:\n- bsh: b\n")
    before = stored(sluice)
    sluice("run", *arguments, "--permit", "web", "--non-interactive", status=2)
    assert stored(sluice) == before


def test_a_permit_for_what_does_not_exist_makes_no_run(sluice: Sluice) -> None:
    sluice.create("web")
    pipeline(sluice)
    before = stored(sluice)
    assert "'webb'" in sluice("run", "--permit", "webb", "--non-interactive", status=2)
    assert stored(sluice) == before


def test_a_pipeline_is_its_file_however_the_path_is_typed(sluice: Sluice) -> None:
    folder = sluice.folder / "q" / "sub"
    folder.mkdir(parents=True)
    (folder.parent / "site.yml").write_text(HELLO)
    (folder.parent / "azure-pipelines.yml").write_text(HELLO)
    (sluice.folder / "link").symlink_to(folder.parent)
    for path in ("q/site.yml", "q/sub/../site.yml", "q/../q/./site.yml", "link/site.yml", "link/sub/../site.yml"):
        sluice("run", path, "--non-interactive")
    sluice("run", "q/sub/../azure-pipelines.yml", "--non-interactive")
    assert [run["pipeline"] for run in sluice.json("runs", "list")] == ["q", *["site"] * 5]


def test_a_link_in_place_of_a_pipeline_has_none_of_its_permits(sluice: Sluice) -> None:
    sluice.create("web")
    ssh = "steps:\n- checkout: none\n- task: SSH@0\n  inputs: {sshEndpoint: web, runOptions: inline, inline: x}\n"
    (sluice.folder / "site.yml").write_text(ssh)
    (sluice.folder / "other").mkdir()
    (sluice.folder / "other" / "site.yml").symlink_to(sluice.folder / "site.yml")
    sluice("run", "site.yml", "--permit", "web", "--non-interactive", status=1)  # there is no such host
    sluice("run", "other/site.yml", "--non-interactive", status=4)


def test_links_in_a_circle_are_one_clear_line(sluice: Sluice) -> None:
    (sluice.folder / "loop").symlink_to("loop")
    assert "its links lead round in a circle" in one_line(sluice("run", "loop/site.yml", status=2))


def test_a_folder_that_is_gone_is_one_clear_line(sluice: Sluice) -> None:
    ended = subprocess.run(
        ["bash", "-c", f"mkdir gone; cd gone; rmdir ../gone; {sys.executable} -m sluice run site.yml"],
        env=sluice.environment,
        cwd=sluice.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, "the current folder does not exist any more" in one_line(ended.stderr)) == (2, True)


def test_a_permit_for_what_the_pipeline_never_names_is_refused_and_leaves_nothing(sluice: Sluice) -> None:
    sluice.create("prod")
    pipeline(sluice)
    before = stored(sluice)
    assert "does not name 'prod'" in sluice("run", "--permit", "prod", "--non-interactive", status=2)
    assert stored(sluice) == before


@pytest.mark.parametrize("endpoint", ["$(name)", "prod"])
def test_a_permit_is_for_what_is_named_or_may_be_at_run_time(sluice: Sluice, endpoint: str) -> None:
    sluice.create("prod")
    pipeline(
        sluice,
        "steps:\n- checkout: none\n- script: 'exit 1'\n- task: SSH@0\n"
        f"  inputs: {{sshEndpoint: '{endpoint}', runOptions: inline, inline: x}}\n",
    )
    sluice("run", "--permit", "prod", "--non-interactive", status=1)  # the script
    assert "AuthorizedForPipeline" in sluice("audit", "list")
