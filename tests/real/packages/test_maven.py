"""`MavenAuthenticate@0` with a real Maven, against a repository that wants a log-in."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.package_servers import USER, MavenRepository, basic_of
from tests.doubles.web import served
from tests.real.packages.conftest import PASSWORD, Person, missing

pytestmark = pytest.mark.real

DEPLOY = "org.apache.maven.plugins:maven-deploy-plugin:3.1.2:deploy-file"
POM = """
    <project>
      <modelVersion>4.0.0</modelVersion>
      {}<artifactId>{}</artifactId>
      <packaging>pom</packaging>{}
    </project>
"""


@pytest.fixture(scope="session")
def local_repository(require_program: Callable[[str, str], Path], request: pytest.FixtureRequest) -> Path:
    """Where Maven keeps what it has downloaded, with the plugin that deploys; kept in pytest's cache."""
    mvn = require_program("mvn", "apt-get install maven")
    cache = request.config.cache
    place = Path(cache.mkdir("maven")) if cache is not None else Path(tempfile.mkdtemp())
    if not (place / "complete").exists():
        (place / "a.txt").touch()
        options = ["-Dfile=a.txt", "-DgroupId=g", "-DartifactId=a", "-Dversion=1", "-Dpackaging=txt"]
        where = ["-DrepositoryId=x", f"-Durl=file://{place}/out", f"-Dmaven.repo.local={place}/repository"]
        command = [str(mvn), "-B", "-q", DEPLOY, *options, *where]
        got = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=100, check=False)
        if got.returncode:
            missing(f"Maven cannot get its plugin for deployments: {got.stdout[-500:]}")
        (place / "complete").touch()
    return place / "repository"


def test_an_artifact_is_deployed_and_resolved(person: Person, local_repository: Path, evidence: Giver) -> None:
    shutil.rmtree(local_repository / "org/example/canary", ignore_errors=True)
    repository = MavenRepository(basic_of(USER, PASSWORD))
    repository.secrets = (PASSWORD, repository.accepted.partition(" ")[2])
    parent = "<groupId>org.example.canary</groupId><version>1.2.3</version>"
    with served(repository):
        url = f"{repository.url}/maven"
        said = person.connect("maven", "externalmavenrepository", url, data="RepositoryId=ours")
        assert "accepts the user builder; the repository shows nothing at its root" in said
        where = f"<repositories><repository><id>ours</id><url>{url}</url></repository></repositories>"
        mvn = f"mvn -B -q -Dmaven.repo.local={local_repository}"
        person.write(
            {
                "parent/pom.xml": POM.format(parent, "canary", ""),
                "child/pom.xml": POM.format(
                    f"<parent>{parent}<artifactId>canary</artifactId></parent>", "child", where
                ),
                "azure-pipelines.yml": f"""
                    steps:
                    - task: MavenAuthenticate@0
                      inputs:
                        mavenServiceConnections: maven
                    - script: |
                        set -e
                        {mvn} {DEPLOY} -Dfile=parent/pom.xml -DpomFile=parent/pom.xml -DrepositoryId=ours -Durl={url}
                        cd child
                        {mvn.replace(" -q", "")} validate
                        grep '<server>' ~/.m2/settings.xml
                """,
            }
        )
        said = person.sluice("run")
    assert "BUILD SUCCESS" in said
    assert "<id>ours</id><username>builder</username><password>***</password>" in said
    assert repository.complaints == []
    puts = [call.path for call in repository.calls if call.method == "PUT"]
    pom = "/maven/org/example/canary/canary/1.2.3/canary-1.2.3.pom"
    assert pom in puts
    assert any(call.method == "GET" and call.path == pom for call in repository.calls)
    person.check()
    evidence(
        "externalmavenrepository",
        "UsernamePassword",
        "used",
        "mvn, Maven repository (double)",
        task="MavenAuthenticate@0",
    )


def test_goals_run_by_the_task_use_what_was_authenticated(person: Person, local_repository: Path) -> None:
    shutil.rmtree(local_repository / "org/example/canary", ignore_errors=True)
    repository = MavenRepository(basic_of(USER, PASSWORD))
    repository.files["/maven/org/example/canary/canary/1.2.3/canary-1.2.3.pom"] = POM.format(
        "<groupId>org.example.canary</groupId><version>1.2.3</version>", "canary", ""
    ).encode()
    repository.secrets = (PASSWORD,)
    parent = "<groupId>org.example.canary</groupId><version>1.2.3</version>"
    with served(repository):
        url = f"{repository.url}/maven"
        person.connect("maven", "externalmavenrepository", url, data="RepositoryId=ours")
        where = f"<repositories><repository><id>ours</id><url>{url}</url></repository></repositories>"
        person.write(
            {
                "pom.xml": POM.format(f"<parent>{parent}<artifactId>canary</artifactId></parent>", "child", where),
                "target/surefire-reports/TEST-a.xml": '<testsuite name="a"><testcase name="b" classname="c"/></testsuite>',
                "azure-pipelines.yml": f"""
                    steps:
                    - task: MavenAuthenticate@0
                      inputs:
                        mavenServiceConnections: maven
                    - task: Maven@4
                      inputs:
                        goals: validate
                        options: -B -Dmaven.repo.local={local_repository}
                        testRunTitle: unit
                """,
            }
        )
        said = person.sluice("run")
    assert "BUILD SUCCESS" in said
    assert "Published test run 'unit': 1 tests, 1 passed, 0 failed, 0 skipped" in said
    assert repository.complaints == []
    person.check()
