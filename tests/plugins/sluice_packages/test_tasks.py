"""What the tasks write, set and say; what package managers make of it is in `tests/real/packages`."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Giver
from tests.doubles.package_servers import USER, Pages
from tests.doubles.web import Double

from sluice.plugin import Connection, Secret
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_packages import _npmrc

PASSWORD = "pass/wörd+0815&"
TOKEN = "token-4711-x"
URL = "http://127.0.0.1:9/registry"


def connection(
    url: str = URL, *, name: str = "one", password: str = PASSWORD, token: str = "", username: str = USER, **data: str
) -> Connection:
    values: dict[str, str | Secret] = {"username": username, "password": Secret(password)}
    return Connection(
        id=f"id-{name}",
        name=name,
        type="x",
        url=url,
        scheme="Token" if token else "UsernamePassword",
        parameters={"apitoken": Secret(token)} if token else values,
        data=data,
    )


def run(task: str, where: Path, inputs: dict[str, str], ones: dict[str, Any], **parts: Any) -> TaskOutcome:
    return run_task(task, inputs=inputs, connections=ones, sources=where, **parts)


def npm(where: Path, *ones: Connection, **parts: Any) -> TaskOutcome:
    return run("npmAuthenticate@0", where, {"workingFile": ".npmrc"}, {"customEndpoint": list(ones)}, **parts)


def test_npm_credentials_go_to_the_registries_that_the_file_names(tmp_path: Path) -> None:
    file = tmp_path / ".npmrc"
    file.write_text(f"; ours\nregistry={URL}\n@team:registry=https://elsewhere.example/npm/\nsave-exact=true\n")
    done = npm(tmp_path, connection())
    assert done.result == "Succeeded", done.message
    assert file.read_text().splitlines() == [
        "; ours",
        f"registry={URL}/",
        "@team:registry=https://elsewhere.example/npm/",
        "save-exact=true",
        f"//127.0.0.1:9/registry/:username={USER}",
        "//127.0.0.1:9/registry/:_password=cGFzcy93w7ZyZCswODE1Jg==",
        f"//127.0.0.1:9/registry/:email={USER}",
        "//127.0.0.1:9/registry/:always-auth=true",
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert done.restored == (file,)
    assert "Adding credentials for the 127.0.0.1:9 service connection" in done.lines
    assert "No new service connections that matched elsewhere.example were found" in done.lines
    assert done.variables == {"EXISTING_ENDPOINTS": f"{URL}/"}


def test_npm_credentials_that_are_checked_in_give_way_with_a_warning(tmp_path: Path) -> None:
    file = tmp_path / ".npmrc"
    file.write_text(
        f"registry={URL}/\n@a:registry={URL}\n//127.0.0.1:9/registry/:_authToken=old\n//127.0.0.1:9/other/:x=y\n"
    )
    done = npm(tmp_path, connection(token=TOKEN))
    lines = file.read_text().splitlines()
    assert "//127.0.0.1:9/registry/:_authToken=old" not in lines
    assert lines.count(f"//127.0.0.1:9/registry/:_authToken={TOKEN}") == 1
    assert "//127.0.0.1:9/other/:x=y" in lines
    (warning,) = done.messages("warning")
    assert warning.startswith(
        "Found and overrode credentials for the 127.0.0.1:9 registry in the selected .npmrc file."
    )
    assert TOKEN not in done.log


def test_a_token_for_a_feed_of_azure_devops_is_a_password(tmp_path: Path, serve: Callable[[Double], None]) -> None:
    server = Pages("nobody", {})
    server.headers = {"X-VSS-E2EID": "1"}
    serve(server)
    (tmp_path / ".npmrc").write_text(f"registry={server.url}/npm")
    npm(tmp_path, connection(f"{server.url}/npm", token=TOKEN))
    assert ":username=VssToken" in (tmp_path / ".npmrc").read_text()
    assert "_authToken" not in (tmp_path / ".npmrc").read_text()
    assert all("authorization" not in call.headers for call in server.calls)


def test_npm_credentials_that_are_given_twice_are_told(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text(f"registry={URL}")
    done = npm(tmp_path, connection(), variables={"EXISTING_ENDPOINTS": f"{URL}/"})
    assert done.messages("warning") == [
        f"Auth for the registry '{URL}/' was previously set. Overwriting with new configuration."
    ]


@pytest.mark.parametrize(
    ("name", "message"), [("npmrc.txt", "is not a valid .npmrc file"), ("sub/.npmrc", "does not currently exist")]
)
def test_a_file_that_is_no_npmrc_fails(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "npmrc.txt").touch()
    done = run("npmAuthenticate@0", tmp_path, {"workingFile": name}, {})
    assert done.result == "Failed"
    assert message in done.message


@given(st.text("ab:/@.[]=;#\n registry", max_size=60))
def test_no_text_of_a_settings_file_is_lost_or_stumbled_over(text: str) -> None:
    lines = text.splitlines()
    spelt = _npmrc.with_slashes(lines)
    assert [one.replace("/", "") for one in spelt] == [one.replace("/", "") for one in lines]
    assert _npmrc.with_slashes(spelt) == spelt
    for url in _npmrc.registries(lines):
        assert _npmrc.nerf_dart(url) == _npmrc.nerf_dart(_npmrc.registry_url(url))


def test_pip_gets_the_first_index_in_place_of_pypi_and_the_others_beside_it(tmp_path: Path, evidence: Giver) -> None:
    ones = [connection(), connection("https://b.example/simple/", name="two", token=TOKEN)]
    given = {"pythonDownloadServiceConnections": ones}
    first = f"http://{USER}:pass%2Fw%C3%B6rd%2B0815%26@127.0.0.1:9/registry"
    second = f"https://build:{TOKEN}@b.example/simple/"
    done = run("PipAuthenticate@1", tmp_path, {}, given)
    assert done.variables == {"PIP_INDEX_URL": first, "PIP_EXTRA_INDEX_URL": second}
    assert "Successfully added auth for 0 internal feeds and 2 external endpoint." in done.lines
    done = run("PipAuthenticate@1", tmp_path, {"onlyAddExtraIndex": "true"}, given)
    assert done.variables == {"PIP_EXTRA_INDEX_URL": f"{first} {second}"}
    evidence("externalPythonDownloadFeed", "Token", "used", "no server: what pip reads", task="PipAuthenticate@1")


def test_twine_gets_a_private_file_with_one_repository(tmp_path: Path, evidence: Giver) -> None:
    seen: list[tuple[str, int]] = []

    def look(line: str) -> None:
        if line.startswith("Successfully"):
            (file,) = Path(temp).glob("sluice-task-*/twineAuthenticate/*/.pypirc")
            seen.append((file.read_text(), stat.S_IMODE(file.stat().st_mode)))

    temp = str(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", temp)
        ones = [connection(token=TOKEN, EndpointName="ours"), connection(name="two", EndpointName="other")]
        done = run("TwineAuthenticate@1", tmp_path, {}, {"pythonUploadServiceConnection": ones}, tell=look)
    assert seen == [
        (
            f"[distutils]\nindex-servers=ours\n\n[ours]\nrepository={URL}\nusername=build\npassword={TOKEN}\n",
            0o600,
        )
    ]
    assert str(done.variables["PYPIRC_PATH"]).endswith("/.pypirc")
    assert done.messages("warning")[0].startswith("Only one service connection can be authorized at a time")
    evidence("externalPythonUploadFeed", "Token", "used", "no server: what twine reads", task="TwineAuthenticate@1")


def test_nuget_gets_the_feeds_beside_those_of_earlier_steps(tmp_path: Path, evidence: Giver) -> None:
    ones = [connection(), connection("https://b.example/v3/index.json", name="two", token=TOKEN)]
    earlier = [{"endpoint": URL, "password": "old"}, {"endpoint": "https://c.example/", "password": "kept"}]
    known = {"VSS_NUGET_EXTERNAL_FEED_ENDPOINTS": json.dumps({"endpointCredentials": earlier})}
    done = run("NuGetAuthenticate@1", tmp_path, {}, {"nuGetServiceConnections": ones}, variables=known)
    assert json.loads(str(done.variables["VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"])) == {
        "endpointCredentials": [
            {"endpoint": URL, "username": USER, "password": PASSWORD},
            {"endpoint": "https://b.example/v3/index.json", "password": TOKEN},
            {"endpoint": "https://c.example/", "password": "kept"},
        ]
    }
    assert done.messages("warning") == [
        f"Auth for the feed '{URL}' was previously set. Overwriting with new configuration."
    ]
    for scheme in ("UsernamePassword", "Token"):
        evidence("externalnugetfeed", scheme, "used", "no server: what NuGet reads", task="NuGetAuthenticate@1")


def test_an_api_key_is_refused_where_it_is_of_no_use(tmp_path: Path) -> None:
    key = Connection(id="1", name="feed", type="x", url=URL, scheme="None", parameters={"nugetkey": Secret(TOKEN)})
    done = run("NuGetAuthenticate@1", tmp_path, {}, {"nuGetServiceConnections": [key]})
    assert "ApiKey service connections are not supported" in done.message
    assert TOKEN not in done.message


def maven(home: Path, *ones: Connection) -> TaskOutcome:
    given = {"mavenServiceConnections": list(ones)}
    return run("MavenAuthenticate@0", home, {}, given, environment={"HOME": str(home)})


def servers(home: Path) -> list[dict[str, str]]:
    root = ET.parse(home / ".m2/settings.xml").getroot()
    found = [one for one in root.iter() if one.tag.rpartition("}")[2] == "server"]
    return [{child.tag.rpartition("}")[2]: child.text or "" for child in one} for one in found]


def test_maven_gets_its_servers_in_new_settings(tmp_path: Path, evidence: Giver) -> None:
    ones = [connection(RepositoryId="a"), connection(name="two", token="<&>-0815", RepositoryId="b")]
    done = maven(tmp_path, *ones)
    assert done.result == "Succeeded", done.message
    assert servers(tmp_path) == [
        {"id": "a", "username": USER, "password": PASSWORD},
        {"id": "b", "username": "AzureDevOps", "password": "<&>-0815"},
    ]
    file = tmp_path / ".m2/settings.xml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert done.restored == (file,)
    evidence("externalmavenrepository", "Token", "used", "no server: what Maven reads", task="MavenAuthenticate@0")


def test_maven_s_own_settings_stay_and_a_server_that_is_there_is_left_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / ".m2").mkdir()
    text = (
        '<?xml version="1.0"?>\n<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0"><!-- ours -->\n'
        "  <servers><server><id>a</id><password>mine</password>"
        '<configuration><x combine.self="override"/></configuration></server></servers>\n</settings>'
    )
    (tmp_path / ".m2/settings.xml").write_text(text)
    done = maven(tmp_path, connection(RepositoryId="a"), connection(RepositoryId="b", password="other-0815"))
    assert [(one["id"], one["password"]) for one in servers(tmp_path)] == [("a", "mine"), ("b", "other-0815")]
    assert "<!-- ours -->" in (tmp_path / ".m2/settings.xml").read_text()
    assert done.messages("warning") == [
        "The settings for the feed or repository 'a' already exists in the users settings.xml file."
    ]


@pytest.mark.parametrize(
    "text", ["<settings>", "<project/>", '<!DOCTYPE s [<!ENTITY a "aa">]><settings>&a;</settings>', ""]
)
def test_settings_that_maven_could_not_read_are_not_written_over(tmp_path: Path, text: str) -> None:
    (tmp_path / ".m2").mkdir()
    (tmp_path / ".m2/settings.xml").write_text(text)
    assert maven(tmp_path, connection(RepositoryId="a")).result == "Failed"
    assert (tmp_path / ".m2/settings.xml").read_text() == text


def cargo(where: Path, text: str, *ones: Connection, **parts: Any) -> TaskOutcome:
    (where / "config.toml").write_text(text)
    given = {"cargoServiceConnections": list(ones)}
    return run("CargoAuthenticate@0", where, {"configFile": "config.toml"}, given, **parts)


def test_cargo_gets_the_tokens_of_the_registries_that_the_file_names(tmp_path: Path, evidence: Giver) -> None:
    text = f'[registries]\nour-crates = {{ index = "sparse+{URL}" }}\n[registries.other]\nindex = "sparse+https://x/"\n'
    public = connection("https://crates.io", name="public", token=TOKEN)
    done = cargo(tmp_path, text, connection(), public)
    assert done.variables == {
        "CARGO_REGISTRIES_OUR_CRATES_TOKEN": "Basic YnVpbGRlcjpwYXNzL3fDtnJkKzA4MTUm",
        "CARGO_REGISTRIES_OUR_CRATES_CREDENTIAL_PROVIDER": "cargo:token",
        "CARGO_REGISTRY_TOKEN": TOKEN,
        "CARGO_REGISTRY_CREDENTIAL_PROVIDER": "cargo:token",
    }
    assert "Authenticated 0 internal feeds, 2 external repos, and 0 federated service connections" in done.lines
    evidence("externalcargorepository", "Token", "used", "no server: what cargo reads", task="CargoAuthenticate@0")


def test_a_token_of_cargo_is_for_the_public_registry_alone(tmp_path: Path) -> None:
    done = cargo(tmp_path, f'[registries]\na = {{ index = "sparse+{URL}" }}', connection(token=TOKEN))
    assert f"The service connection for {URL} is invalid." in done.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = [", "is not a valid .toml file"),
        ("[source]", "must contain registries table"),
        ("registries = 1", "must contain"),
    ],
)
def test_a_file_that_names_no_registries_fails(tmp_path: Path, text: str, message: str) -> None:
    assert message in cargo(tmp_path, text, connection()).message


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("PipAuthenticate@1", "artifactFeeds"),
        ("TwineAuthenticate@1", "artifactFeed"),
        ("MavenAuthenticate@0", "artifactsFeeds"),
    ],
)
def test_feeds_of_an_organization_are_said_not_to_be_there(tmp_path: Path, task: str, name: str) -> None:
    done = run(task, tmp_path, {name: "our-feed"}, {})
    assert "there is no Azure Artifacts feed 'our-feed' here" in done.message


@pytest.mark.parametrize("text", ["a\nregistry=http://evil/", "a\rb", "a\x00b"])
def test_a_password_of_several_lines_adds_none_to_a_file(tmp_path: Path, text: str) -> None:
    (tmp_path / ".npmrc").write_text(f"registry={URL}\n")
    one = connection(password=text, EndpointName="a", RepositoryId="a")
    for done in (
        npm(tmp_path, one),
        run("TwineAuthenticate@1", tmp_path, {}, {"pythonUploadServiceConnection": [one]}),
        maven(tmp_path, one),
    ):
        assert "the password of the service connection has control characters" in done.message
    assert (tmp_path / ".npmrc").read_text() == f"registry={URL}\n"
