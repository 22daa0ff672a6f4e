"""What the tests show of each connection type and scheme, and the page that is made of it.

    SLUICE_EVIDENCE=evidence.jsonl pytest
    python -m tests.evidence evidence.jsonl docs/connection-type-evidence.md

A cell that no test fills needs a line in `tests/evidence-reasons.yaml`; without one the page is not written.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import yaml

VARIABLE = "SLUICE_EVIDENCE"
"""The file that passing tests add what they show to."""

REASONS = Path(__file__).with_name("evidence-reasons.yaml")

Cell = Literal["declared", "created", "verified right", "verified wrong", "used"]
CELLS: tuple[Cell, ...] = get_args(Cell)
HEADS = ("Type", "Scheme", "Declared", "Created by the CLI", "Verified right", "Verified wrong", "Used by a task")
DOUBLE = "(double)"

Row = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing that a test showed: `what` of a type and scheme, against which server."""

    type: str
    scheme: str
    what: Cell
    server: str = ""
    task: str = ""
    test: str = ""

    def __post_init__(self) -> None:
        if self.what not in CELLS:
            raise ValueError(f"no cell '{self.what}': one of {', '.join(CELLS)}")
        if not self.server and self.what not in {"declared", "created"}:
            raise ValueError(f"'{self.what}' needs to say against what server")
        if self.what == "used" and not self.task:
            raise ValueError("'used' needs to say by which task")


def note(found: Iterable[Evidence]) -> None:
    """Add to the file that `SLUICE_EVIDENCE` names, if it names one."""
    if path := os.environ.get(VARIABLE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(asdict(one))}\n" for one in found)


def read(path: Path) -> list[Evidence]:
    """What a test run noted."""
    return [Evidence(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def known_rows(reasons: Mapping[tuple[str, str, str], str]) -> list[Row]:
    """Every type and scheme that a bundled plugin declares, and those that the reasons speak of beside them."""
    from sluice.hooks.manager import installed

    rows = {(kind.name, scheme.name) for kind in installed().types.values() for scheme in kind.schemes}
    rows |= {(kind.name, "") for kind in installed().types.values() if not kind.schemes}
    spelt = {_key(row) for row in rows}
    rows |= {(kind, scheme) for kind, scheme, _ in reasons if "*" not in scheme and _key((kind, scheme)) not in spelt}
    return sorted(rows, key=_key)


def read_reasons(path: Path = REASONS) -> dict[tuple[str, str, str], str]:
    """Why cells are empty, by type, scheme and cell, in small letters; `*` stands for every one."""
    listed = yaml.load(path.read_bytes(), yaml.CSafeLoader) or []
    return {(one["type"], str(one.get("scheme", "*")), one.get("cell", "*")): one["reason"] for one in listed}


def render(rows: Sequence[Row], found: Sequence[Evidence], reasons: Mapping[tuple[str, str, str], str]) -> str:
    """The page; raises `LookupError` naming every cell that has neither evidence nor a reason."""
    by_cell: dict[tuple[Row, Cell], list[Evidence]] = {}
    for one in found:
        by_cell.setdefault((_key((one.type, one.scheme)), one.what), []).append(one)
    folded = {(kind.casefold(), scheme.casefold(), cell): text for (kind, scheme, cell), text in reasons.items()}
    notes: list[str] = []
    missing: list[str] = []
    lines = []
    for row in rows:
        texts = []
        for cell in CELLS:
            if shown := by_cell.get((_key(row), cell)):
                texts.append(_shown(shown))
            elif reason := _reason(folded, row, cell):
                notes += [] if reason in notes else [reason]
                texts.append(f"no ({notes.index(reason) + 1})")
            else:
                missing.append(f"{row[0]} {row[1]}: {cell}")
        lines.append(f"| {' | '.join((f'`{row[0]}`', f'`{row[1]}`' if row[1] else '-', *texts))} |")
    if missing:
        raise LookupError(f"{len(missing)} cells have neither evidence nor a reason:\n  " + "\n  ".join(missing))
    known = {_key(row) for row in rows}
    strangers = sorted({f"{one.type} {one.scheme}" for one in found if _key((one.type, one.scheme)) not in known})
    if strangers:
        raise LookupError(f"evidence for what no plugin declares: {', '.join(strangers)}")
    return _page(lines, notes)


_HEAD = """# What the tests show of each connection type

Made by a test run (`python -m tests.evidence`), not by hand. A cell names what the tests ran against: a server's program,
or a contract double of what cannot be had on one machine, which checks what it is sent (`tests/doubles/`).
"""


def _page(lines: Sequence[str], notes: Sequence[str]) -> str:
    table = [f"| {' | '.join(HEADS)} |", f"|{'---|' * len(HEADS)}", *lines]
    parts = [_HEAD, *table]
    if notes:
        parts += ["", "## Why there is none", "", *(f"{number}. {text}" for number, text in enumerate(notes, 1))]
    return "\n".join(parts) + "\n"


def _shown(found: Iterable[Evidence]) -> str:
    """The servers, those of a real program first; by task where tasks ran."""
    by_server: dict[str, list[str]] = {}
    for one in sorted(found, key=lambda one: (one.server.endswith(DOUBLE), one.server, one.task)):
        tasks = by_server.setdefault(one.server, [])
        tasks += [f"`{one.task}`"] if one.task and f"`{one.task}`" not in tasks else []
    texts = [f"{', '.join(tasks)}: {server}" if tasks else server for server, tasks in by_server.items()]
    return "; ".join(text for text in texts if text) or "yes"


def _reason(reasons: Mapping[tuple[str, str, str], str], row: Row, cell: str) -> str:
    kind, scheme = _key(row)
    places = ((kind, scheme, cell), (kind, scheme, "*"), (kind, "*", cell), (kind, "*", "*"))
    return next((reasons[place] for place in places if place in reasons), "")


def _key(row: Row) -> Row:
    return row[0].casefold(), row[1].casefold()


def main(arguments: Sequence[str]) -> int:
    """Write the page from the evidence of a run."""
    evidence, page = map(Path, arguments)
    reasons = read_reasons()
    try:
        page.write_text(render(known_rows(reasons), read(evidence), reasons), encoding="utf-8")
    except LookupError as error:
        sys.stderr.write(f"{error.args[0]}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
