"""The faults that are tried against the model-based test (`python -m tests.fuzz.inject`) still fit the package."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest
from tests.fuzz.faults import FAULTS, Fault

import sluice

PACKAGE = Path(sluice.__file__).parent


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_an_edit_of_what_is_there(fault: Fault, tmp_path: Path) -> None:
    for edit in fault.edits:
        (tmp_path / edit.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PACKAGE / edit.path, tmp_path / edit.path)
    fault.apply(tmp_path)
    for edit in fault.edits:
        ast.parse((tmp_path / edit.path).read_text(encoding="utf-8"))


def test_every_fault_has_a_name_of_its_own() -> None:
    assert len({one.name for one in FAULTS}) == len(FAULTS)
