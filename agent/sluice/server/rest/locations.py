"""The table of resource locations that clients look their routes up in, by id."""

from __future__ import annotations

from sluice.values import dataclass


@dataclass(frozen=True, slots=True)
class Location:
    """A resource as clients find it: its id, area and name, route template and versions (as the service published them)."""

    id: str
    area: str
    resource: str
    template: str
    preview: int
    minimum: str
    maximum: str
    released: str

    def as_json(self) -> dict[str, object]:
        """The location on the wire; `0.0` is a version that was never released."""
        return {
            "id": self.id,
            "area": self.area,
            "resourceName": self.resource,
            "routeTemplate": self.template,
            "resourceVersion": self.preview,
            "minVersion": self.minimum,
            "maxVersion": self.maximum,
            "releasedVersion": self.released,
        }


_TABLE = """
e81700f7-3be2-46de-8624-2eb35882fcaa Location ResourceAreas _apis/{resource}/{areaId} 1 3.2 7.2 0.0
00d9565f-ed9c-4a06-9a50-00e7896ccab4 Location ConnectionData _apis/{resource} 1 1.0 7.2 0.0
603fe2ac-9723-48b9-88ad-09305aa6c6e1 core projects _apis/{resource}/{*projectId} 4 1.0 7.2 7.1
93878975-88c5-4e6a-8abb-7ddd77a8a7d8 core processes _apis/process/{resource}/{processId} 1 1.0 7.2 7.1
4976a71a-4487-49aa-8aab-a1eda469037a core properties _apis/projects/{projectId}/{resource} 1 3.2 7.2 0.0
9a1b74b4-2ca8-4a9f-8470-c2f2e6fdc949 operations operations _apis/{resource}/{operationId} 1 2.0 7.2 7.1
14e48fdc-2c8b-41ce-a0c3-e26f6cc55bd0 serviceendpoint endpoints _apis/{area}/{resource}/{endpointId} 4 5.2 7.2 7.1
e85f1c62-adfc-4b74-b618-11a150fb195e serviceendpoint endpoints {project}/_apis/{area}/{resource}/{endpointId} 4 4.1 7.2 7.1
5a7938a4-655e-486c-b562-b78c54a7e87b serviceendpoint types _apis/{area}/{resource} 1 4.1 7.2 7.1
cc63bb57-2a5f-4a7a-b79c-c142d308657e serviceendpoint endpointproxy {project}/_apis/{area}/{resource} 1 4.1 7.2 7.1
10a16738-9299-4cd1-9a81-fd23ad6200d0 serviceendpoint executionhistory {project}/_apis/{area}/{endpointId}/{resource} 1 4.1 7.2 7.1
55b9ed4b-5404-41b1-b9d2-7ed757d02bb0 serviceendpoint executionhistory {project}/_apis/{area}/{resource} 1 4.1 7.2 7.1
86e77201-c1f7-46c9-8672-9dfc2f6f568a serviceendpoint share _apis/{area}/{resource}/{endpointId} 1 5.0 7.2 0.0
702edb4e-3952-43fe-a4eb-288938f3ba35 serviceendpoint oauthconfiguration _apis/{area}/{resource}/{configurationId} 1 5.0 7.2 0.0
18e8f65d-4e19-4a01-a621-cf0f2d938108 serviceendpoint azurermsubscriptions _apis/{area}/endpointproxy/{resource} 1 5.0 7.2 0.0
9acb984c-4f88-4e13-9691-2e688dddc047 serviceendpoint azurermmanagementgroups _apis/{area}/endpointproxy/{resource} 1 5.0 7.2 0.0
b5b9a4a4-e6cd-4096-853c-ab7d8b0c4eb2 pipelinePermissions pipelinePermissions {project}/_apis/pipelines/{resource}/{resourceType}/{resourceId} 1 5.1 7.2 0.0
86c8381e-5aee-4cde-8ae4-25c0c7f5eaea PipelinesChecks configurations {project}/_apis/pipelines/checks/{resource}/{id} 1 5.1 7.2 0.0
5f3d0e64-f943-4584-8811-77eb495e831e PipelinesChecks queryconfigurations {project}/_apis/pipelines/checks/{resource} 1 5.2 7.2 0.0
91282c1d-c183-444f-9554-1485bfb3879d PipelinesChecks runs {project}/_apis/pipelines/checks/{resource}/{checkSuiteId} 1 5.1 7.2 0.0
37794717-f36f-4d78-b2bf-4dc30d0cfbcd approval approvals {project}/_apis/pipelines/{resource}/{approvalId} 2 5.1 7.2 7.1
9461c234-c84c-4ed2-b918-2f0f92ad0a35 securityroles roleassignments _apis/{area}/scopes/{scopeId}/{resource}/resources/{resourceId}/{identityId} 1 2.2 7.2 0.0
f4cc9a86-453c-48d2-b44d-d3bd5c105f4f securityroles roledefinitions _apis/{area}/scopes/{scopeId}/{resource} 1 2.2 7.2 0.0
28e1305e-2afe-47bf-abaf-cbb0e6a91988 Pipelines pipelines {project}/_apis/{area}/{pipelineId} 1 5.1 7.2 7.1
7859261e-d2e9-4a68-b820-a5d84cc5bb3d Pipelines runs {project}/_apis/{area}/{pipelineId}/{resource}/{runId} 2 5.1 7.2 7.1
53df2d18-29ea-46a9-bee0-933540f80abf pipelines preview {project}/_apis/{area}/{pipelineId}/{resource} 2 5.1 7.2 7.1
fb1b6d27-3957-43d5-a14b-a2d70403e545 Pipelines logs {project}/_apis/{area}/{pipelineId}/runs/{runId}/{resource}/{logId} 1 5.1 7.2 7.1
85023071-bd5e-4438-89b0-2a5bf362a19d Pipelines artifacts {project}/_apis/{area}/{pipelineId}/runs/{runId}/{resource} 1 5.2 7.2 7.1
0cd358e1-9217-4d94-8269-1c1ee6f93dcf Build Builds {project}/_apis/build/{resource}/{buildId} 7 1.0 7.2 7.1
dbeaf647-6167-421a-bda9-c9327b25e2e6 Build Definitions {project}/_apis/build/{resource}/{definitionId} 7 1.0 7.2 7.1
8baac422-4c6e-4de5-8532-db96d92acffa build Timeline {project}/_apis/{area}/builds/{buildId}/{resource}/{timelineId} 3 2.0 7.2 7.1
35a80daf-7f30-45fc-86e8-6b813d9c90df build logs {project}/_apis/{area}/builds/{buildId}/{resource}/{logId} 2 2.0 7.2 7.1
1db06c96-014e-44e1-ac91-90b2d4b3e984 build artifacts {project}/_apis/{area}/builds/{buildId}/{resource}/{artifactName} 5 2.0 7.2 7.1
b8aac6c9-744b-46e1-88fc-3550969f9313 build stages {project}/_apis/{area}/builds/{buildId}/{resource}/{stageRefName} 5 5.2 7.2 7.1
398c85bc-81aa-4822-947c-a194a05f0fef build authorizedresources {project}/_apis/{area}/{resource} 1 5.0 7.2 0.0
ea623316-1967-45eb-89ab-e9e6110cf2d6 build resources {project}/_apis/{area}/definitions/{definitionId}/{resource} 1 5.0 7.2 0.0
557624af-b29e-4c20-8ab0-0399d2204f3f distributedtask events {scopeIdentifier}/_apis/{area}/hubs/{hubName}/plans/{planId}/{resource} 1 2.0 7.2 7.1
900fa995-c559-4923-aae7-f8424fe4fbea distributedtask queues {project}/_apis/{area}/{resource}/{queueId} 1 2.0 7.2 7.1
60aac929-f0cd-4bc8-9ce4-6b30e8f1b1bd distributedtask tasks _apis/{area}/{resource}/{taskId}/{versionString} 1 1.0 7.2 7.1
ac08c8ff-4323-4b08-af90-bcd018d380ce Security AccessControlEntries _apis/{resource}/{securityNamespaceId} 1 1.0 7.2 7.1
18a2ad18-7571-46ae-bec7-0c7da1495885 Security AccessControlLists _apis/{resource}/{securityNamespaceId} 1 1.0 7.2 7.1
ce7b9f95-fde9-4be8-a86d-83b366f0b87a Security SecurityNamespaces _apis/{resource}/{securityNamespaceId} 1 1.0 7.2 7.1
6fa30b9a-9558-4e3b-a95f-a12572caa6e6 audit actions _apis/{area}/{resource} 1 5.1 7.2 0.0
69a319f4-28c1-4bfd-93e6-ea0ff5c6f1a2 distributedtask oidctoken {scopeIdentifier}/_apis/{area}/hubs/{hubName}/plans/{planId}/jobs/{jobId}/{resource} 1 6.0 7.2 7.1
eb55e5d6-2f30-4295-b5ed-38da50b1fc52 distributedtask attachments {scopeIdentifier}/_apis/{area}/hubs/{hubName}/plans/{planId}/{resource}/{type} 1 2.0 7.2 0.0
7898f959-9cdf-4096-b29e-7f293031629e distributedtask attachments {scopeIdentifier}/_apis/{area}/hubs/{hubName}/plans/{planId}/timelines/{timelineId}/records/{recordId}/{resource}/{type}/{name} 1 2.0 7.2 0.0
8893bc5b-35b2-4be7-83cb-99e683551db4 distributedtask records {scopeIdentifier}/_apis/{area}/hubs/{hubName}/plans/{planId}/timelines/{timelineId}/{resource} 2 1.0 7.2 7.1
8572b1fc-2482-47fa-8f74-7e3ed53ee54b distributedtask environments {project}/_apis/{area}/{resource}/{environmentId} 1 5.1 7.2 0.0
51bb5d21-4305-4ea6-9dbb-b7488af73334 distributedtask environmentdeploymentrecords {project}/_apis/{area}/environments/{environmentId}/{resource} 1 5.1 7.2 0.0
ef5b7057-ffc3-4c77-bbad-c10b4a4abcc7 distributedtask variablegroups _apis/{area}/{resource}/{groupId} 2 5.1 7.2 7.1
f5b09dd5-9d54-45a1-8b5a-1c8287d634cc distributedtask variablegroups {project}/_apis/{area}/{resource}/{groupId} 2 4.0 7.2 7.1
adcfd8bc-b184-43ba-bd84-7c8c6a2ff421 distributedtask securefiles {project}/_apis/{area}/{resource}/{secureFileId} 1 4.0 7.2 0.0
4e5fa14f-7097-4b73-9c85-00abc7353c61 audit auditlog _apis/{area}/{resource} 1 5.1 7.2 0.0
"""


def _read(line: str) -> Location:
    identity, area, resource, template, preview, minimum, maximum, released = line.split()
    return Location(identity, area, resource, template, int(preview), minimum, maximum, released)


LOCATIONS = tuple(_read(line) for line in _TABLE.strip().splitlines())
"""Every location that is published: also those that clients only look for when they start."""

BY_ID = {location.id: location for location in LOCATIONS}


def of_area(area: str) -> tuple[Location, ...]:
    """The locations of an area, whatever its case; all of them for ''."""
    wanted = area.casefold()
    return tuple(one for one in LOCATIONS if not wanted or one.area.casefold() == wanted)
