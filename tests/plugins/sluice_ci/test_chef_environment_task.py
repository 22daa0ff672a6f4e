from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.conftest import Giver
from tests.doubles.chef import Chef
from tests.doubles.web import Double

from sluice.plugin import TaskFailedError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_ci._chef_environment_task import set_attribute


def environment() -> dict[str, Any]:
    return {
        "name": "live",
        "json_class": "Chef::Environment",
        "default_attributes": {"site": {"name": "old", "port": 80, "a.b": "x"}, "hosts": ["one", "two"]},
        "override_attributes": {"db": "old"},
    }


@pytest.fixture
def chef(serve: Callable[[Double], None]) -> Chef:
    double = Chef()
    double.environments = {"live": environment(), "empty": environment() | {"name": "empty"}}
    double.nodes = {
        "web1": {"chef_environment": "live", "ohai_time": 1000.5},
        "web2": {"chef_environment": "live"},
        "other": {"chef_environment": "test", "stuck": True},
    }
    serve(double)
    return double


def deploy(
    chef: Chef, cancellation: Cancellation | None = None, tell: Callable[[str], None] | None = None, **inputs: str
) -> TaskOutcome:
    values = {"username": "deployer", "password": chef.private_key}
    connection = make_connection("chef", "kitchen", url=f"{chef.url}{chef.prefix}", values=values)
    attributes = json.dumps({"default_attributes.site.name": "new", "override_attributes.db": "mine"})
    return run_task(
        "Chef@1",
        inputs={"Environment": "live", "Attributes": attributes} | inputs,
        connections={"connectedServiceName": connection},
        cancellation=cancellation,
        tell=tell,
    )


def test_attributes_are_set_and_every_node_waited_for(chef: Chef, evidence: Giver) -> None:
    outcome = deploy(chef)
    assert outcome.result is Result.SUCCEEDED, outcome.message
    changed = chef.environments["live"]
    assert (changed["default_attributes"]["site"]["name"], changed["override_attributes"]["db"]) == ("new", "mine")
    assert changed["default_attributes"]["site"]["port"] == 80
    assert outcome.lines[-2:] == ["web1 has converged", "web2 has converged"]
    assert outcome.progress[-1] == (100, "nodes")
    assert "PRIVATE KEY" not in outcome.log
    evidence("chef", "UsernamePassword", "used", "Chef Infra Server (double)", task="Chef@1")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"Environment": "missing"}, "Environment name 'missing' is not found on the chef server: it has: empty, live"),
        ({"Environment": "empty"}, "The chef environment 'empty' has no nodes in it"),
        ({"Attributes": "site=new"}, "key value pairs to be updated as proper json (for example"),
        ({"Attributes": '{"default_attributes.site.none": "x"}'}, "Cannot find environment attribute with key"),
        ({"Attributes": '{"default_attributes.site": "x"}'}, "is not a leaf attribute"),
        ({"chefWaitTime": "0"}, "input 'chefWaitTime' is 0, but must be at least 1"),
    ],
)
def test_what_does_not_fit_changes_nothing(chef: Chef, inputs: dict[str, str], message: str) -> None:
    outcome = deploy(chef, None, None, **inputs)
    assert outcome.result is Result.FAILED
    assert message in outcome.message
    assert all(call.method != "PUT" for call in chef.calls)


def test_a_missing_permission_to_change_is_told(chef: Chef) -> None:
    chef.forbidden.add("PUT")
    assert "they lack a permission: 403 Forbidden (let the client read and update environments" in deploy(chef).message


def test_waiting_for_a_node_that_hangs_ends_when_it_is_canceled(chef: Chef) -> None:
    chef.nodes["web2"]["stuck"] = True
    cancellation = Cancellation()

    def tell(line: str) -> None:
        if line == "web1 has converged":
            cancellation.cancel()

    outcome = deploy(chef, cancellation, tell)
    assert outcome.result is Result.CANCELED
    assert "web2 has converged" not in outcome.lines


def test_attributes_go_by_their_path() -> None:
    changed = environment()
    set_attribute(changed, "default_attributes.hosts[1]", "three")
    set_attribute(changed, "default_attributes.site['a.b']", 5)
    assert changed["default_attributes"]["hosts"] == ["one", "three"]
    assert changed["default_attributes"]["site"]["a.b"] == 5
    for wrong in ("", "default_attributes.hosts[9]", "default_attributes.hosts.x", "override_attributes.db.x"):
        with pytest.raises(TaskFailedError):
            set_attribute(changed, wrong, "x")
