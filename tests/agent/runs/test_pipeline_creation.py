"""A pipeline that is created is permitted what its YAML names; one that is only run is permitted nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.agent.runs.conftest import Bench

from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, NotPermittedError, UsageError
from sluice.identity.guard import RoleGuard
from sluice.language.plan import Plan
from sluice.rights import Actor
from sluice.runs.compiling import Given, Identity, compile_file, find_file
from sluice.runs.pipeline_creation import CreatedPipeline, create_pipeline
from sluice.storage import groups, permissions, pipelines, projects

PIPELINE = """
variables: [{group: settings}]
steps:
- task: Deliver@1
  inputs: {depot: depot}
"""
NOBODY = Actor(id="8" * 8 + "-0000-4000-8000-" + "0" * 12, name="ann", subjects=frozenset({"ann"}))


def create(bench: Bench, text: str = PIPELINE, name: str = "release", *, grant: bool = True) -> CreatedPipeline:
    path = bench.folder / "release.yml"
    path.write_text(text)
    file = find_file(Path(path))
    identity = Identity(pipeline=file.name, requested_by="tester")

    def compiled() -> Plan:
        return compile_file(file, Given(), catalogue=bench.catalogue, identity=identity)

    return create_pipeline(bench.orchestrator, "default", name, file, compiled, by="tester", grant=grant)


def test_a_created_pipeline_is_permitted_what_its_yaml_names(bench: Bench) -> None:
    bench.connection("depot")
    bench.group("settings", {"a": "1"})
    made = create(bench)
    assert [known.name for known in made.granted] == ["settings", "depot"]
    assert (made.left, made.missing) == ((), ())
    with bench.database.read() as transaction:
        for known in made.granted:
            resource = permissions.Resource(1, known.id, known.kind)
            assert permissions.permitted(transaction, resource, made.pipeline.id)


def test_what_it_named_later_is_not_permitted_by_itself(bench: Bench) -> None:
    bench.connection("depot")
    later = bench.connection("later")
    made = create(bench, PIPELINE.replace("variables: [{group: settings}]\n", ""))
    with bench.database.read() as transaction:
        assert not permissions.permitted(transaction, permissions.Resource(1, later.id), made.pipeline.id)


def test_a_creator_without_the_right_permits_nothing_and_that_is_told(bench: Bench) -> None:
    bench.connection("depot")
    bench.group("settings", {"a": "1"})
    bench.orchestrator.store = guarded(bench)
    made = create(bench)
    assert made.granted == ()
    assert [known.name for known in made.left] == ["settings", "depot"]


def test_what_is_missing_is_named(bench: Bench) -> None:
    made = create(bench)
    assert [need.name for need in made.missing] == ["settings", "depot"]


def test_nothing_is_permitted_when_nothing_is_to_be(bench: Bench) -> None:
    bench.connection("depot")
    made = create(bench, grant=False)
    assert (made.granted, made.left) == ((), ())


def test_a_file_is_one_pipeline(bench: Bench) -> None:
    create(bench)
    with bench.database.write() as transaction:
        pipelines.ensure(
            transaction, projects.find(transaction, "default"), name="other", source="/other.yml", by="me", at=1.0
        )
    with pytest.raises(ConflictError, match="is the pipeline 'release' already"):
        create(bench, name="other")


def test_a_name_that_is_none_or_another_pipelines_is_refused(bench: Bench) -> None:
    bench.pipeline("taken")
    with pytest.raises(ConflictError, match="the pipeline 'Taken' exists already"):
        create(bench, name="Taken")
    with pytest.raises(UsageError, match="is no name"):
        create(bench, name=" ")


def test_who_may_not_create_pipelines_creates_none(bench: Bench) -> None:
    bench.orchestrator.store = guarded(bench, contributor=False)
    with pytest.raises(NotPermittedError, match="you may not create a pipeline in this project"):
        create(bench)


def guarded(bench: Bench, *, contributor: bool = True) -> ConnectionStore:
    """The store of somebody who may create pipelines, and has no role on what they name."""
    with bench.database.read() as transaction:
        contributors = groups.default_id(projects.find(transaction, "default"), groups.CONTRIBUTORS)
    subjects = frozenset({NOBODY.id, *([contributors] if contributor else [])})
    guard = RoleGuard(Actor(id=NOBODY.id, name=NOBODY.name, subjects=subjects))
    store = bench.store
    return ConnectionStore(store.database, store.sealer, catalogue=lambda: store.catalogue, sources={}, guard=guard)
