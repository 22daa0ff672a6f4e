"""How far a run is trusted by what is known of it."""

from __future__ import annotations

import pytest

from sluice.authorization.trust import Trust, Untrusted, trust_of


@pytest.mark.parametrize(
    ("branch", "facts", "trust"),
    [
        ("refs/heads/main", {}, Trust.TRUSTED),
        ("refs/heads/pull/7/merge", {}, Trust.TRUSTED),
        ("refs/pull/7/merge", {}, Trust.PULL_REQUEST),
        ("refs/merge-requests/7/head", {}, Trust.PULL_REQUEST),
        ("refs/heads/main", {"reason": "PullRequest"}, Trust.PULL_REQUEST),
        ("refs/heads/main", {"said": "pull-request"}, Trust.PULL_REQUEST),
        ("refs/pull/7/merge", {"is_fork": True}, Trust.FORK),
        ("refs/heads/main", {"said": "fork"}, Trust.FORK),
        ("refs/pull/7/merge", {"said": "trusted"}, Trust.PULL_REQUEST),
    ],
)
def test_what_is_said_of_a_run_only_takes_trust_away(branch: str, facts: dict[str, object], trust: Trust) -> None:
    assert trust_of(branch, **facts) is trust  # type: ignore[arg-type]  # of several types


def test_a_resource_lets_in_what_it_says_and_what_is_trusted_more() -> None:
    admitted = {one: [trust for trust in Trust if one.admits(trust)] for one in Untrusted}
    assert admitted == {
        Untrusted.NONE: [Trust.TRUSTED],
        Untrusted.PULL_REQUESTS: [Trust.TRUSTED, Trust.PULL_REQUEST],
        Untrusted.FORKS: list(Trust),
    }
