from __future__ import annotations

import pytest

from sluice.errors import Location
from sluice.language.plan import Container, Job, Step, Target, Text
from sluice.language.tasks import CONTAINERS
from sluice.runs.containers import JobContainers, containers_of, places, starting, target_of
from sluice.runtime.request import StepRequest


def text(value: str) -> Text:
    return Text(value, Location("f.yml", 1, 1))


def script(container: str = "", *, target: bool = True) -> Step:
    return Step(
        task=text("CmdLine@2"), name="a", display_name="a", target=Target(container=container) if target else None
    )


BOX = Container(
    alias="Box",
    image=text("team/box"),
    endpoint=text("registry"),
    properties={"options": text("--init"), "mapDockerSocket": text("True"), "localImage": text("false")},
    mount_read_only={"work": True, "tools": False},
)
OTHER = Container(alias="other", image=text("o:1"))


def resolve(job: Job, *steps: Step, value: str = "") -> JobContainers:
    return containers_of((BOX, OTHER), job, steps, lambda written: value or written.value)


def job(**parts: object) -> Job:
    return Job(name="A", display_name="A", **parts)  # type: ignore[arg-type]  # parts of a job by name


def test_a_job_names_a_listed_container_ignoring_case() -> None:
    found = resolve(job(container=text("BOX")))
    assert found.own == "Box"
    (box,) = found.containers
    assert (box.image, box.endpoint, box.options, box.docker_socket) == ("team/box", "registry", "--init", True)
    assert box.read_only == {"work"}


def test_any_other_name_is_an_image_and_none_is_no_container() -> None:
    assert [one.image for one in resolve(job(container=text("node:20"))).containers] == ["node:20"]
    assert [one.image for one in resolve(job(container=text("$[ x ]")), value="o:2").containers] == ["o:2"]
    assert resolve(job(container=text(" "))) == JobContainers()


def test_services_are_containers_of_their_own_even_of_one_alias() -> None:
    services = {"db": text("box"), "cache": Container(alias="", image=text("redis")), "more": text("other")}
    found = resolve(job(container=text("box"), services=services))
    assert [(one.alias, one.service) for one in found.containers] == [
        ("Box", ""),
        ("db", "db"),
        ("cache", "cache"),
        ("other", "more"),
    ]
    assert len({one.connection_input for one in found.containers}) == 4


def test_a_service_never_takes_the_place_of_another_container() -> None:
    found = resolve(job(container=text("box"), services={"box": text("box"), "db": text("box")}))
    assert [(one.alias, one.service) for one in found.containers] == [("Box", ""), ("box_2", "box"), ("db", "db")]
    assert target_of(script(target=False), found) == "Box"


def test_what_steps_target_is_started_once() -> None:
    steps = (script("Other"), script("other"), script("host"), script(""))
    found = resolve(job(container=text("box")), *steps)
    assert [one.alias for one in found.containers] == ["Box", "other"]
    assert [target_of(step, found) for step in (*steps, script(target=False))] == ["other", "other", "", "Box", "Box"]


def test_a_step_may_target_a_service_by_its_name() -> None:
    found = resolve(job(services={"db": text("box")}))
    assert target_of(script("DB"), found) == "Box"


@pytest.mark.parametrize("task", [CONTAINERS, "CmdLine@2"])
def test_only_the_first_step_opens_registries(task: str) -> None:
    found = resolve(job(container=text("box"), services={"db": text("other")}))
    step = starting(StepRequest(id="1", name="n", display_name="n", task=task), found, {"box": "f.yml:1:1"})
    if task == CONTAINERS:
        (asked,) = step.connection_inputs
        assert (asked.name, asked.type, asked.where) == ("Box.endpoint", "dockerregistry", "f.yml:1:1")
        assert step.inputs == {"Box.endpoint": "registry"}
    else:
        assert step.connection_inputs == ()


def test_a_container_of_an_azure_registry_is_opened_with_the_subscription() -> None:
    image = Container(alias="acr", image=text("reg.azurecr.io/app"), endpoint=text("sub"), type="ACR")
    found = containers_of((image,), job(container=text("acr")), (), lambda written: written.value)
    assert found.containers[0].subscription
    step = starting(StepRequest(id="1", name="n", display_name="n", task=CONTAINERS), found, {})
    (asked,) = step.connection_inputs
    assert (asked.written, asked.type) == ("azureSubscription", "azurerm")


def test_the_place_of_a_connection_is_known_where_it_is_written() -> None:
    in_place = Container(alias="", image=text("a"), endpoint=Text("r", Location("f.yml", 7, 3)))
    found = places((BOX,), job(container=in_place, services={"DB": in_place}))
    assert found == {"box": "f.yml:1:1", "job": "f.yml:7:3", "db": "f.yml:7:3"}
