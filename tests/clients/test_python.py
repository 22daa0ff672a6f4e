"""The Python client of Azure DevOps (PyPI `azure-devops`), unmodified."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from tests.clients.conftest import Server

devops = pytest.importorskip("azure.devops.connection", reason="pip install azure-devops")

pytestmark = [  # the client leaves its sockets to the garbage collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

PIPELINE = """
steps:
- script: echo "hello from a client"
"""
SECRET = "correct horse battery staple"


@pytest.fixture
def clients(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The client's own entry point; what it keeps on disk is kept from the next test."""
    from msrest.authentication import BasicAuthentication

    monkeypatch.setenv("AZURE_DEVOPS_CACHE_DIR", str(tmp_path))
    connection = devops.Connection(base_url=server.collection, creds=BasicAuthentication("", server.token))
    return connection.clients_v7_1


def _endpoint(name: str, project: Any) -> Any:
    from azure.devops.v7_1.service_endpoint.models import (
        EndpointAuthorization,
        ProjectReference,
        ServiceEndpoint,
        ServiceEndpointProjectReference,
    )

    reference = ServiceEndpointProjectReference(
        name=name, project_reference=ProjectReference(id=project.id, name=project.name)
    )
    parameters = {"username": "ada", "password": SECRET}
    return ServiceEndpoint(
        name=name,
        type="generic",
        url="https://depot.example",
        data={},
        authorization=EndpointAuthorization(scheme="UsernamePassword", parameters=parameters),
        service_endpoint_project_references=[reference],
    )


def test_projects_are_listed_and_found_by_name(clients: Any) -> None:
    core = clients.get_core_client()
    names = [one.name for one in core.get_projects()]
    assert "default" in names
    assert core.get_project("Default").id


def test_a_connection_is_created_read_updated_and_deleted(clients: Any) -> None:
    project = clients.get_core_client().get_project("default")
    endpoints = clients.get_service_endpoint_client()
    made = endpoints.create_service_endpoint(_endpoint("depot", project))
    assert made.is_ready
    assert made.authorization.parameters == {"username": "ada", "password": None}
    found = endpoints.get_service_endpoints_by_names("default", ["depot"])
    assert [one.id for one in found] == [made.id]
    read = endpoints.get_service_endpoint_details("default", made.id)
    assert read.authorization.parameters == {"username": "ada"}
    read.description = "where parcels go"
    changed = endpoints.update_service_endpoint(read, made.id)
    assert changed.description == "where parcels go"
    assert changed.authorization.parameters == {"username": "ada", "password": None}
    endpoints.delete_service_endpoint(made.id, [project.id])
    assert endpoints.get_service_endpoint_details("default", made.id) is None


def test_a_name_that_is_taken_is_told_as_the_service_does(clients: Any) -> None:
    from azure.devops.exceptions import AzureDevOpsServiceError

    project = clients.get_core_client().get_project("default")
    endpoints = clients.get_service_endpoint_client()
    endpoints.create_service_endpoint(_endpoint("twice", project))
    with pytest.raises(AzureDevOpsServiceError) as caught:
        endpoints.create_service_endpoint(_endpoint("twice", project))
    assert caught.value.type_key == "DuplicateServiceConnectionException"


def test_a_pipeline_is_permitted_run_and_read(server: Server, clients: Any, tmp_path: Path) -> None:
    from azure.devops.v7_1.pipeline_permissions.models import PipelinePermission, ResourcePipelinePermissions

    file = tmp_path / "azure-pipelines.yml"
    file.write_text(PIPELINE)
    pipelines = clients.get_pipelines_client()
    server.sluice("pipeline", "create", "from-python", str(file))  # the client's model has no path to be given
    made = next(one for one in pipelines.list_pipelines("default") if one.name == "from-python")
    project = clients.get_core_client().get_project("default")
    endpoint = clients.get_service_endpoint_client().create_service_endpoint(_endpoint("permitted", project))
    permissions = clients.get_pipeline_permissions_client()
    assert permissions.get_pipeline_permissions_for_resource("default", "endpoint", endpoint.id).pipelines == []
    asked = ResourcePipelinePermissions(pipelines=[PipelinePermission(id=made.id, authorized=True)])
    after = permissions.update_pipeline_permisions_for_resource(asked, "default", "endpoint", endpoint.id)
    assert [one.id for one in after.pipelines] == [made.id]
    run = pipelines.run_pipeline({}, "default", made.id)
    builds = clients.get_build_client()
    end = time.monotonic() + 60
    while (build := builds.get_build("default", run.id)).status != "completed":
        assert time.monotonic() < end, build.status
        time.sleep(0.05)
    assert build.result == "succeeded"
    logs = builds.get_build_logs("default", run.id)
    lines = [line for log in logs for line in builds.get_build_log_lines("default", run.id, log.id)]
    assert any("hello from a client" in line for line in lines)
    timeline = builds.get_build_timeline("default", run.id)
    assert {"Stage", "Job", "Task"} <= {record.type for record in timeline.records}
    preview = pipelines.preview({"previewRun": True, "yamlOverride": PIPELINE}, "default", made.id)
    assert "hello from a client" in preview.final_yaml
