"""The page of evidence says no more than the tests showed, and leaves nothing out without a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.evidence import CELLS, Evidence, known_rows, note, read, read_reasons, render

from sluice.hooks.manager import installed

pytest_plugins = ["pytester"]

ROW = ("ssh", "UsernamePassword")


def shown(what: str, server: str = "", task: str = "") -> Evidence:
    return Evidence(type=ROW[0], scheme=ROW[1], what=what, server=server, task=task)  # type: ignore[arg-type]  # a cell


FULL = [
    shown("declared"),
    shown("created"),
    shown("verified right", "OpenSSH"),
    shown("verified wrong", "OpenSSH"),
    shown("used", "Paramiko (double)", "SSH@0"),
    shown("used", "OpenSSH", "SSH@0"),
    shown("used", "OpenSSH", "CopyFilesOverSSH@0"),
    shown("used", "OpenSSH", "SSH@0"),
]


def test_each_cell_names_the_servers_and_the_tasks_the_real_ones_first() -> None:
    line = "| `ssh` | `UsernamePassword` | yes | yes | OpenSSH | OpenSSH | `CopyFilesOverSSH@0`, `SSH@0`: OpenSSH; "
    assert f"{line}`SSH@0`: Paramiko (double) |" in render([ROW], FULL, {})


def test_a_cell_without_evidence_and_without_a_reason_is_no_page() -> None:
    with pytest.raises(LookupError, match=r"1 cells .*\n  ssh UsernamePassword: used"):
        render([ROW], FULL[:4], {})


@pytest.mark.parametrize(
    "place",
    [("SSH", "UsernamePassword", "used"), ("ssh", "*", "used"), ("ssh", "*", "*"), ("ssh", "usernamepassword", "*")],
)
def test_a_reason_stands_below_the_table(place: tuple[str, str, str]) -> None:
    page = render([ROW], FULL[:4], {place: "there is no task for it"})
    assert page.count("no (1)") == 1
    assert page.endswith("1. there is no task for it\n")


def test_evidence_for_what_nobody_declares_is_a_mistake() -> None:
    with pytest.raises(LookupError, match="no plugin declares: telnet None"):
        render([ROW], [*FULL, Evidence(type="telnet", scheme="None", what="declared")], {})


@pytest.mark.parametrize("wrong", [("guessed", "x", ""), ("verified right", "", ""), ("used", "OpenSSH", "")])
def test_evidence_says_what_and_against_what(wrong: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match=r"no cell|needs to say"):
        shown(*wrong)


def test_a_failing_test_gives_no_evidence(pytester: pytest.Pytester, tmp_path: Path) -> None:
    conftest = Path(__file__).with_name("conftest.py").read_text()
    pytester.makeconftest(conftest)
    pytester.makepyfile("""
        def test_good(evidence):
            evidence("ssh", "UsernamePassword", "declared")

        def test_bad(evidence):
            evidence("ssh", "UsernamePassword", "created")
            assert 0
    """)
    root = Path(__file__).parents[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_EVIDENCE", str(tmp_path / "evidence"))
        patch.setenv("PYTHONPATH", str(root))
        pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1, failed=1)
    assert [one.what for one in read(tmp_path / "evidence")] == ["declared"]


def test_nothing_is_noted_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SLUICE_EVIDENCE", raising=False)
    monkeypatch.chdir(tmp_path)
    note(FULL)
    assert list(tmp_path.iterdir()) == []


def test_every_declared_type_and_scheme_has_its_row() -> None:
    rows = known_rows(read_reasons())
    assert {(kind.name, scheme.name) for kind in installed().types.values() for scheme in kind.schemes} <= set(rows)
    assert len({(kind.casefold(), scheme.casefold()) for kind, scheme in rows}) == len(rows)


def test_every_reason_is_about_a_cell() -> None:
    assert {cell for _, _, cell in read_reasons()} <= {*CELLS, "*"}


def test_the_page_that_is_there_has_every_row_and_no_empty_cell() -> None:
    page = (Path(__file__).parents[1] / "docs" / "connection-type-evidence.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("|\n ").split(" | ")]
        for line in page.splitlines()
        if line.startswith("| `")
    ]
    shown = {(row[0].strip("`"), row[1].strip("`").replace("-", "")) for row in rows}
    assert set(known_rows(read_reasons())) - shown == set(), "make the page anew: see docs/contributing.md"
    assert [row for row in rows if len(row) != len(CELLS) + 2 or not all(row)] == []
    told = {int(number) for number in re.findall(r"no \((\d+)\)", page)}
    assert told == {int(number) for number in re.findall(r"^(\d+)\. ", page, re.MULTILINE)}
