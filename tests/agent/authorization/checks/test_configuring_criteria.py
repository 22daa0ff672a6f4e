from __future__ import annotations

import pytest

from sluice.authorization.checks.configuring import fit
from sluice.errors import UsageError
from sluice.language import success_criteria
from sluice_checks._types import REST_API

SETTINGS = {"connectedServiceName": "api", "waitForCompletion": "false"}


def test_success_criteria_are_looked_at_when_a_check_is_configured() -> None:
    good = fit(REST_API, {**SETTINGS, "successCriteria": "eq(root['a'], 1)"}, criteria=success_criteria)
    assert good.settings["successCriteria"] == "eq(root['a'], 1)"
    with pytest.raises(UsageError, match="successCriteria"):
        fit(REST_API, {**SETTINGS, "successCriteria": "eq(root['a'], "}, criteria=success_criteria)
