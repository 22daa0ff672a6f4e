"""NuGetCommand@2 and DotNetCoreCLI@2: what the programs are called with, and packages pushed to a feed.

Neither program is here: one in its place keeps what it is called with, and the settings that it was given.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from tests.conftest import Giver
from tests.doubles.package_servers import USER, NuGetFeed, basic_of
from tests.doubles.web import Double

from sluice.plugin import Connection
from sluice.runtime.masking import Masker
from sluice.runtime.request import Result
from sluice.runtime.task_context import HandlerRun
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import RecordedOutput, TaskOutcome, run_task
from sluice_packages._versions import package_version

PASSWORD = "feed-pass/0815-x"
KEY = "api-key-0123456789"
PROGRAM = """#!{python}
import json, os, pathlib, sys
calls = pathlib.Path({calls!r})
known = json.loads(calls.read_text()) if calls.exists() else []
call = dict(argv=sys.argv[1:], environment=dict(os.environ), folder=os.getcwd())
for name in ("-ConfigFile", "--configfile"):
    if name in sys.argv:
        config = pathlib.Path(sys.argv[sys.argv.index(name) + 1])
        call["config"] = config.read_text()
        call["place"] = str(config)
        call["mode"] = oct(config.stat().st_mode & 0o777)
for name in ("--results-directory",):
    if name in sys.argv:
        folder = pathlib.Path(sys.argv[sys.argv.index(name) + 1])
        folder.mkdir(exist_ok=True)
        (folder / "result.trx").write_text("<TestRun/>")
if "--output" in sys.argv and "publish" in sys.argv:
    folder = pathlib.Path(sys.argv[sys.argv.index("--output") + 1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.dll").write_text("app")
calls.write_text(json.dumps([*known, call]))
sys.exit(int(os.environ.get("STATUS", "0")))
"""


class Tools:
    """A folder with programs in place of `nuget` and `dotnet`; `sources` is a repository."""

    def __init__(self, folder: Path) -> None:
        self.sources = folder / "sources"
        self.sources.mkdir()
        self._calls = folder / "calls.json"
        self.path = folder / "bin"
        self.path.mkdir()
        self.environment: dict[str, str] = {}
        self.variables: dict[str, str] = {}
        for name in ("nuget", "dotnet"):
            program = self.path / name
            program.write_text(PROGRAM.format(python=sys.executable, calls=os.fspath(self._calls)))
            program.chmod(0o755)

    def write(self, name: str, text: str = "") -> None:
        file = self.sources / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def run(
        self, task: str, command: str, connections: dict[str, Connection] | None = None, /, **inputs: str
    ) -> TaskOutcome:
        return run_task(
            task,
            inputs={"command": command, **inputs},
            connections=connections,
            sources=self.sources,
            environment={"PATH": os.fspath(self.path), **self.environment},
            variables=self.variables,
        )

    @property
    def calls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._calls.read_text()) if self._calls.exists() else []
        return found


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(tmp_path)


def feed(url: str = "https://feed.example/v3/index.json", scheme: str = "UsernamePassword") -> Connection:
    values = {
        "UsernamePassword": {"username": USER, "password": PASSWORD},
        "Token": {"apitoken": PASSWORD},
        "None": {"nugetkey": KEY},
    }[scheme]
    return make_connection("externalnugetfeed", "feed", url=url, scheme=scheme, values=values)


CONFIG = """<?xml version="1.0"?>
<configuration>
  <packageSources>
    <add key="our feed" value="https://feed.example/v3/index.json/" />
    <add key="local" value="packages" />
    <add key="other" value="https://other.example/index.json" />
  </packageSources>
  <packageSourceCredentials><our_x0020_feed><add key="Username" value="old" /></our_x0020_feed></packageSourceCredentials>
</configuration>
"""


@pytest.mark.parametrize(("task", "flag"), [("NuGetCommand@2", "-ConfigFile"), ("DotNetCoreCLI@2", "--configfile")])
def test_a_restoration_has_the_credentials_in_a_private_file(
    tools: Tools, task: str, flag: str, evidence: Giver
) -> None:
    tools.write("nuget/NuGet.config", CONFIG)
    tools.write("app/App.sln")
    inputs = {"selectOrConfig": "config", "nugetConfigPath": "nuget/NuGet.config"}
    inputs |= {"solution": "**/*.sln"} if task == "NuGetCommand@2" else {"projects": "**/*.sln"}
    outcome = tools.run(task, "restore", {"externalEndpoints": feed()}, **inputs)
    assert outcome.result == Result.SUCCEEDED, outcome.log
    (call,) = tools.calls
    assert call["argv"][:2] == ["restore", os.fspath(tools.sources / "app/App.sln")]
    assert flag in call["argv"]
    assert call["mode"] == "0o600"
    assert not Path(call["place"]).exists()
    root = ET.fromstring(call["config"])
    sources = {one.get("key"): one.get("value") for one in root.iterfind("packageSources/add")}
    assert sources["local"] == os.fspath(tools.sources / "nuget/packages")
    (entry,) = root.iterfind("packageSourceCredentials/our_x0020_feed")
    assert {one.get("key"): one.get("value") for one in entry} == {"Username": USER, "ClearTextPassword": PASSWORD}
    for told in (json.dumps(call["argv"]), json.dumps(call["environment"]), outcome.log):
        assert PASSWORD not in told
    assert (tools.sources / "nuget/NuGet.config").read_text() == CONFIG
    evidence("externalnugetfeed", "UsernamePassword", "used", "nuget and dotnet (double)", task=task)


def test_a_restoration_may_choose_its_feeds_itself(tools: Tools) -> None:
    tools.write("App.sln")
    assert tools.run("NuGetCommand@2", "restore", noCache="true").result == Result.SUCCEEDED
    root = ET.fromstring(tools.calls[0]["config"])
    assert [one.tag for one in root.iterfind("packageSources/*")] == ["clear", "add"]
    assert "-NoCache" in tools.calls[0]["argv"]
    refused = tools.run("NuGetCommand@2", "restore", feedRestore="our-feed")
    assert "there is no Azure Artifacts feed 'our-feed' here" in refused.message


def test_a_connection_that_no_source_is_for_is_told(tools: Tools) -> None:
    tools.write("NuGet.config", CONFIG)
    tools.write("App.sln")
    inputs = {"selectOrConfig": "config", "nugetConfigPath": "NuGet.config"}
    outcome = tools.run("NuGetCommand@2", "restore", {"externalEndpoints": feed("https://x.example/")}, **inputs)
    assert "No source of the settings has the URL" in outcome.messages("warning")[0]
    assert PASSWORD not in tools.calls[0]["config"]


@pytest.mark.parametrize("text", ["", "<settings/>", "<!DOCTYPE a><configuration/>", "<configuration>"])
def test_settings_that_are_none_are_told(tools: Tools, text: str) -> None:
    tools.write("NuGet.config", text)
    tools.write("App.sln")
    outcome = tools.run("NuGetCommand@2", "restore", selectOrConfig="config", nugetConfigPath="NuGet.config")
    assert outcome.result == Result.FAILED
    assert tools.calls == []


@pytest.mark.parametrize("task", ["NuGetCommand@2", "DotNetCoreCLI@2"])
@pytest.mark.parametrize("scheme", ["UsernamePassword", "Token", "None"])
@pytest.mark.parametrize("path", ["/v3/index.json", "/api/v2", ""])
def test_packages_are_pushed_without_any_program(
    tools: Tools, serve: Callable[[Double], None], task: str, scheme: str, path: str, evidence: Giver
) -> None:
    who = {"UsernamePassword": USER, "Token": "AzureDevOps"}.get(scheme)
    double = NuGetFeed(basic_of(who, PASSWORD) if who else "", KEY if scheme == "None" else "")
    double.secrets = (PASSWORD, KEY)
    serve(double)
    tools.write("out/a.1.0.0.nupkg", "package a")
    tools.write("out/a.1.0.0.symbols.nupkg", "symbols")
    connection = feed(f"{double.url}{path}", scheme)
    inputs = {"nuGetFeedType": "external", "searchPatternPush": "out/*.nupkg"}
    tools.environment = {"PATH": "/nowhere"}
    outcome = tools.run(task, "push", {"externalEndpoint": connection}, **inputs)
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert list(double.packages.values()) == [b"package a"]
    assert not any(one in outcome.log for one in (PASSWORD, KEY))
    again = tools.run(task, "push", {"externalEndpoint": connection}, **inputs)
    assert "a.1.0.0.nupkg is there already: 409 Conflict" in again.message
    evidence("externalnugetfeed", scheme, "used", "NuGet feed (double)", task=task)


def test_a_refused_push_says_why(tools: Tools, serve: Callable[[Double], None]) -> None:
    double = NuGetFeed(key="another-key-0001")
    serve(double)
    tools.write("a.nupkg", "package")
    inputs = {"nuGetFeedType": "external", "searchPatternPush": "*.nupkg"}
    outcome = tools.run("NuGetCommand@2", "push", {"externalEndpoint": feed(double.url, "None")}, **inputs)
    assert "does not accept the API key, or it may not push this package: 403 Forbidden" in outcome.message
    double.accepted = basic_of(USER, "another")
    outcome = tools.run("NuGetCommand@2", "push", {"externalEndpoint": feed(f"{double.url}/v3/index.json")}, **inputs)
    assert "the feed does not accept the credentials" in outcome.message
    outcome = tools.run(
        "NuGetCommand@2", "push", {"externalEndpoint": feed(double.url)}, **inputs | {"searchPatternPush": "*.zip"}
    )
    assert "No packages matched the search pattern" in outcome.message
    assert "there is no Azure Artifacts feed" in tools.run("NuGetCommand@2", "push").message


def test_credentials_do_not_follow_a_service_index_elsewhere(tools: Tools, serve: Callable[[Double], None]) -> None:
    double, other = NuGetFeed(key=KEY), NuGetFeed(key=KEY)
    serve(double)
    serve(other)
    double.elsewhere = f"{other.url}/api/v2/package"
    tools.write("a.nupkg", "package")
    inputs = {"nuGetFeedType": "external", "searchPatternPush": "*.nupkg"}
    connection = feed(f"{double.url}/v3/index.json", "None")
    outcome = tools.run("NuGetCommand@2", "push", {"externalEndpoint": connection}, **inputs)
    assert f"the feed's service index wants packages pushed to {other.url}" in outcome.message
    assert other.calls == []


def test_nuget_packs_with_what_the_step_says(tools: Tools) -> None:
    tools.write("lib/Lib.csproj")
    inputs = {"searchPatternPack": "**/*.csproj", "outputDir": "out", "configurationToPack": "Release"}
    inputs |= {"versioningScheme": "byBuildNumber", "buildProperties": "a=1;b=2", "includeSymbols": "true"}
    tools.variables = {"Build.BuildNumber": "app_1.2.3.4"}
    outcome = tools.run("NuGetCommand@2", "pack", **inputs)
    assert outcome.result == Result.SUCCEEDED, outcome.log
    argv = tools.calls[0]["argv"]
    assert argv[:2] == ["pack", os.fspath(tools.sources / "lib/Lib.csproj")]
    for option, value in (("-Version", "1.2.3.4"), ("-Properties", "a=1;b=2;Configuration=Release")):
        assert argv[argv.index(option) + 1] == value
    assert "-Symbols" in argv


def test_dotnet_packs_builds_and_runs_what_it_is_told(tools: Tools) -> None:
    tools.write("a/A.csproj")
    tools.write("b/B.csproj")
    outcome = tools.run("DotNetCoreCLI@2", "build", projects="**/*.csproj", arguments="-c 'Release x'")
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert [call["argv"][1:] for call in tools.calls] == [
        [os.fspath(tools.sources / f"{one}/{one.upper()}.csproj"), "-c", "Release x"] for one in ("a", "b")
    ]
    inputs = {"searchPatternPack": "a/*.csproj", "outputDir": "out", "nobuild": "true", "configurationToPack": ""}
    inputs |= {"versioningScheme": "byEnvVar", "versionEnvVar": "My.Version"}
    tools.variables = {"My.Version": "9.9.9"}
    assert tools.run("DotNetCoreCLI@2", "pack", **inputs).result == Result.SUCCEEDED
    argv = tools.calls[-1]["argv"]
    assert {"--no-build", "-p:PackageVersion=9.9.9"} <= set(argv)
    assert tools.run("DotNetCoreCLI@2", "custom", custom="tool", arguments="list").result == Result.SUCCEEDED
    assert tools.calls[-1]["argv"] == ["tool", "list"]


def test_results_of_tests_are_published_also_when_they_fail(tools: Tools) -> None:
    tools.write("T.csproj")
    tools.environment = {"STATUS": "1"}
    outcome = tools.run("DotNetCoreCLI@2", "test", projects="*.csproj", testRunTitle="unit")
    assert outcome.result == Result.FAILED
    assert "dotnet failed with exit code 1" in outcome.message
    (results,) = outcome.test_results
    assert (results.runner, results.title, results.files) == ("VSTest", "unit", ("result.trx",))
    plain = tools.run("DotNetCoreCLI@2", "test", projects="*.csproj", publishTestResults="false")
    assert plain.test_results == ()
    assert "--logger" not in tools.calls[-1]["argv"]


def test_web_projects_are_published_each_into_an_archive(tools: Tools) -> None:
    tools.write("web/Web.csproj", '<Project Sdk="Microsoft.NET.Sdk.Web"/>')
    tools.write("lib/Lib.csproj", '<Project Sdk="Microsoft.NET.Sdk"/>')
    outcome = tools.run("DotNetCoreCLI@2", "publish", arguments=f"-c Release --output {tools.sources}/out")
    assert outcome.result == Result.SUCCEEDED, outcome.log
    (call,) = tools.calls
    assert call["argv"] == [
        "publish", os.fspath(tools.sources / "web/Web.csproj"), "-c", "Release", "--output",
        os.fspath(tools.sources / "out/web"),
    ]  # fmt: skip
    with zipfile.ZipFile(tools.sources / "out/web.zip") as archive:
        assert archive.namelist() == ["app.dll"]
    (tools.sources / "web/Web.csproj").unlink()
    assert "No web project was found" in tools.run("DotNetCoreCLI@2", "publish").message


@pytest.mark.parametrize(
    ("task", "command", "told"),
    [
        ("NuGetCommand@2", "restore", "Unable to locate executable file: 'nuget'"),
        ("DotNetCoreCLI@2", "build", "Unable to locate executable file: 'dotnet'"),
    ],
)
def test_a_missing_program_is_told_with_what_to_install(tools: Tools, task: str, command: str, told: str) -> None:
    tools.write("A.csproj")
    tools.write("A.sln")
    inputs = {"projects": "*.csproj"} if task == "DotNetCoreCLI@2" else {}
    tools.environment = {"PATH": "/nowhere"}
    outcome = tools.run(task, command, **inputs)
    assert told in outcome.message
    assert "install" in outcome.message


def a_run(**inputs: str) -> HandlerRun:
    return HandlerRun(
        task="NuGetCommand@2",
        sources=Path(),
        temp=Path(),
        output=RecordedOutput(Masker()),
        inputs=inputs,
        variables={"Build.BuildNumber": "r_1.2.3-beta.1+7"},
    )


def test_versions_follow_their_scheme() -> None:
    now = dt.datetime(2026, 11, 25, 1, 2, 3, tzinfo=dt.UTC)
    numbers = {"requestedMajorVersion": "1", "requestedMinorVersion": "2", "requestedPatchVersion": "3"}
    assert (
        package_version(a_run(versioningScheme="byPrereleaseNumber", **numbers), now=now) == "1.2.3-CI-20261125-010203"
    )
    assert package_version(a_run(versioningScheme="bySemVerBuildNumber")) == "1.2.3-beta.1+7"
    assert package_version(a_run(versioningScheme="byBuildNumber")) == "1.2.3"
    assert package_version(a_run(versioningScheme="off")) == ""
