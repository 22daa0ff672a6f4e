from __future__ import annotations

import subprocess
import sys

import pytest

from sluice.hooks.checks import TASK_CHECK
from sluice.hooks.manager import installed
from sluice_checks._types import TYPES

IDENTITIES = {
    "branch-control": (TASK_CHECK, "86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b", "evaluatebranchProtection"),
    "required-template": ("4020e66e-b0f3-47e1-bc88-48f3cc59b5f3", "", ""),
    "evaluate-artifact": (TASK_CHECK, "", "evaluateArtifact"),
    "business-hours": (TASK_CHECK, "445fde2f-6c39-441c-807f-8a59ff2e075f", "evaluateBusinessHours"),
    "rest-api": (TASK_CHECK, "9c3e8943-130d-4c78-ac63-8af81df62dfb", "InvokeRESTAPI"),
    "azure-function": (TASK_CHECK, "537fdb7a-a601-4537-aa70-92645a2b5ce4", "AzureFunction"),
    "azure-monitor": (TASK_CHECK, "99a72e7f-25e4-4576-bf38-22a42b995ed8", "AzureMonitor"),
}


def test_kinds_are_known_by_the_ids_of_azure_pipelines() -> None:
    assert {one.name: (one.type_id, one.definition_id, one.definition_name) for one in TYPES} == IDENTITIES
    offered = installed().check_types
    assert all(offered[one.name] is one for one in TYPES)


@pytest.mark.parametrize("name", sorted(IDENTITIES))
def test_what_decides_at_once_is_final_and_comes_first(name: str) -> None:
    kind = installed().check_types[name]
    static = name in {"branch-control", "required-template", "evaluate-artifact"}
    assert (kind.category, kind.final) == (("sanityChecks", True) if static else ("main", False))
    assert kind.on_timeout == ("skipped" if name in {"rest-api", "azure-function"} else "failed")
    assert kind.bypassable is (name in {"business-hours", "rest-api", "azure-function"})


def test_declaring_them_imports_no_library() -> None:
    libraries = "{'tzlocal', 'regopy', 'azure', 'requests', 'msal'}"
    code = f"import sys, sluice_checks; print(sorted({libraries} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
