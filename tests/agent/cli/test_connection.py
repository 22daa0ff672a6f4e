"""`sluice connection` as a person types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

SECRET = "hunter2-very-secret-0815"
KEY_HEAD = "-----BEGIN OPENSSH PRIVATE KEY-----"


def test_a_new_home_has_no_connections(sluice: Sluice) -> None:
    assert "sluice connection create" in sluice("connection", "list")
    assert sluice.json("connection", "list") == []


def test_a_secret_from_standard_input_is_stored_and_never_shown(sluice: Sluice) -> None:
    sluice.create()
    shown = sluice.json("connection", "show", "WEB")
    assert shown["secrets"] == ["password"]
    assert shown["data"]["Host"] == "web.invalid"
    assert shown["url"] == "ssh://web.invalid:22"
    assert shown["pipelines"] == []
    assert "(secret, set)" in sluice("connection", "show", "web")


def test_a_secret_from_a_file_or_the_environment(sluice: Sluice) -> None:
    (sluice.folder / "key").write_text(f"{KEY_HEAD}\n{SECRET}\n-----END\n")
    sluice.environment["PASSWORD"] = SECRET
    sluice.create("web", "--secret", "PrivateKey=@key", "--secret", "password=env:PASSWORD", given=None)
    assert sluice.json("connection", "show", "web")["secrets"] == ["PrivateKey", "password"]
    sluice("connection", "update", "web", "--secret", "password=env:UNSET", status=2)
    sluice("connection", "update", "web", "--secret", "password=@nowhere", status=2)


def test_what_is_no_private_key_is_refused_and_not_repeated(sluice: Sluice) -> None:
    (sluice.folder / "key").write_text(f"root:x:0:0:{SECRET}\nbin:x\n")
    (sluice.folder / "empty").write_text("")
    fields = ("connection", "create", "web", "--type", "ssh", "--set", "Host=h", "--set", "username=u")
    error = sluice(*fields, "--secret", "PrivateKey=@key", status=2)
    assert "it is no private key" in error
    assert SECRET not in error
    assert "holds nothing for the secret 'PrivateKey'" in sluice(*fields, "--secret", "PrivateKey=@empty", status=2)
    assert "no file that holds a secret" in sluice(*fields, "--secret", "PrivateKey=@/dev/null", status=2)
    assert sluice.json("connection", "list") == []


@pytest.mark.parametrize("port", ["0", "65536", "99999", "000000", "-1", "1.5"])
def test_a_port_that_cannot_be_is_refused(sluice: Sluice, port: str) -> None:
    error = sluice("connection", "create", "w", "--type", "ssh", "--set", f"Port={port}", "--set", "Host=h", status=2)
    assert "Port number ('Port')" in error
    if port.isdecimal():
        assert "('Port'): a port is a number from 1 to 65535" in error


def test_a_connection_without_any_secret_is_warned_of(sluice: Sluice) -> None:
    fields = ("connection", "create", "web", "--type", "ssh", "--set", "Host=h", "--set", "username=u")
    said = sluice.run(*fields).stderr
    assert "it has no secret: 'password' or 'PrivateKey'" in said
    assert "no secret" not in sluice.run("connection", "update", "web", "--secret", "password=-", given=SECRET).stderr
    (sluice.folder / "key").write_text(f"{KEY_HEAD}\nx\n-----END\n")
    assert "no secret" not in sluice.run(*fields[:2], "two", *fields[3:], "--secret", "PrivateKey=@key").stderr


def test_on_a_terminal_a_secret_is_asked_for_when_there_is_none(sluice: Sluice) -> None:
    fields = ("connection", "create", "web", "--type", "ssh", "--set", "Host=h", "--set", "username=u")
    answers = [("empty for none", f"{SECRET}\n"), ("Repeat", f"{SECRET}\n")]
    status, shown = sluice.on_a_terminal(fields, answers)
    assert status == 0, shown
    assert SECRET not in shown
    assert sluice.json("connection", "show", "web")["secrets"] == ["password"]
    status, shown = sluice.on_a_terminal((*fields[:2], "two", *fields[3:]), [("empty for none", "\n")])
    assert (status, "it has no secret" in shown) == (0, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--secret", f"password={SECRET}"),
        ("--secret", SECRET),
        ("--secret", f"={SECRET}"),
        ("--set", f"password={SECRET}"),
        ("--set", f"PASSWORD={SECRET}"),
        ("--secret-ref", f"password={SECRET}"),
        ("--secret-ref", SECRET),
        ("--set", SECRET),
        ("--secret", "password=", SECRET),
        ("--secret", "password=-", SECRET),
        (f"--sceret=password={SECRET}",),
        (f"--secert={SECRET}",),
    ],
)
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(sluice: Sluice, arguments: Sequence[str]) -> None:
    fields = ("--type", "ssh", "--set", "Host=h", "--set", "username=u")
    error = sluice("connection", "create", "web", *fields, *arguments, status=2)
    assert SECRET not in error
    assert sluice.json("connection", "list") == []


def test_standard_input_holds_one_secret_and_not_nothing(sluice: Sluice) -> None:
    both = ("--secret", "password=-", "--secret", "PrivateKey=-")
    fields = ("--type", "ssh", "--set", "Host=h", "--set", "username=u")
    assert "one secret only" in sluice("connection", "create", "web", *fields, *both, given=SECRET, status=2)
    assert "holds nothing" in sluice("connection", "create", "web", *fields, *both[:2], given="", status=2)


def test_a_reference_is_stored_in_place_of_its_value(sluice: Sluice) -> None:
    sluice.environment["PASSWORD"] = SECRET
    sluice.create("web", "--secret-ref", "password=env:PASSWORD", given=None)
    shown = sluice.json("connection", "show", "web")
    assert (shown["secrets"], shown["references"]) == ([], {"password": "env:PASSWORD"})


def test_mistakes_are_one_line_with_what_to_do(sluice: Sluice) -> None:
    sluice.create()
    for arguments, text in (
        (("create", "two", "--type", "shs"), "did you mean 'ssh'"),
        (("create", "two", "--type", "ssh", "--set", "Hots=x"), "did you mean 'Host'"),
        (("create", "two", "--type", "ssh"), "Host name ('Host') is required"),
        (("create", "web", "--type", "ssh", "--set", "Host=h", "--set", "username=u"), "exists already"),
        (("create", "two", "--type", "ssh", "--set", "Host=h", "--set", "host=h"), "names 'host' twice"),
        (("show", "wbe"), "did you mean 'web'"),
        (("list", "--project", "nowhere"), "no project 'nowhere'"),
        (("delete", "web"), "add --yes; no pipeline is permitted"),
        (("permit", "web"), "--pipeline"),
        (("permit", "web", "--pipeline", "ci"), "no pipeline 'ci'"),
        (("apply", "nowhere.yml"), "No such file"),
        (("types", "shs"), "did you mean 'ssh'"),
    ):
        error = sluice("connection", *arguments, status=2)
        assert text in error
        assert len(error.splitlines()) == 1


def test_an_update_keeps_what_it_does_not_name(sluice: Sluice) -> None:
    sluice.create("web", "--allow-all-pipelines", "--description", "the web server")
    before = sluice.json("connection", "show", "web")
    changed = sluice("connection", "update", "web", "--secret", "password=-", "--output", "json", given="another-1234")
    after = json.loads(changed)
    assert after["changed"] == ["password"]
    for key in ("id", "name", "description", "data", "parameters", "secrets", "createdOn"):
        assert after[key] == before[key]
    assert after["version"] == 2
    assert sluice.json("connection", "show", "web")["pipelines"] == ["all pipelines"]
    assert "is as it was" in sluice("connection", "update", "web")


def test_another_host_drops_the_secret_revokes_and_says_so(sluice: Sluice) -> None:
    sluice.create("web", "--allow-all-pipelines")
    sluice("connection", "update", "web", "--set", "Host=evil.invalid")
    assert "the secrets password were dropped" in sluice.printed
    assert "1 permit(s) were revoked" in sluice.printed
    shown = sluice.json("connection", "show", "web")
    assert (shown["secrets"], shown["pipelines"], shown["url"]) == ([], [], "ssh://evil.invalid:22")


def test_a_short_secret_is_warned_about(sluice: Sluice) -> None:
    sluice.create(given="ab")
    assert "warning: the secret 'password' is too short" in sluice.printed


def test_disabling_renaming_and_deleting(sluice: Sluice) -> None:
    sluice.create()
    sluice("connection", "update", "web", "--disable", "--name", "Web Server")
    assert sluice.json("connection", "show", "web server")["disabled"] is True
    assert "disabled" in sluice("connection", "list")
    assert "'Web Server': enabled" in sluice("connection", "update", "web server", "--enable")
    assert "deleted" in sluice("connection", "delete", "web server", "--yes")
    assert sluice.json("connection", "list") == []


def test_deleting_tells_which_connections_go_through_it(sluice: Sluice) -> None:
    sluice.create("jump")
    sluice.create("web", "--set", "JumpHost=JUMP")
    assert "web go through it" in sluice("connection", "delete", "jump", status=2)


def test_open_access_is_granted_and_ended(sluice: Sluice) -> None:
    sluice.create()
    assert sluice.json("connection", "permit", "web", "--all-pipelines")["changed"] is True
    assert "(as before)" in sluice("connection", "permit", "web", "--all-pipelines")
    assert sluice.json("connection", "show", "web")["pipelines"] == ["all pipelines"]
    sluice("connection", "revoke", "web", "--all-pipelines")
    assert sluice.json("connection", "show", "web")["pipelines"] == []


def test_a_file_that_has_never_been_run_is_permitted_by_its_path(sluice: Sluice) -> None:
    sluice.create()
    sluice.folder.joinpath("sub").mkdir()
    sluice.folder.joinpath("sub", "release.yml").write_text("steps:\n- script: echo\n")
    said = sluice("connection", "permit", "web", "--pipeline", "./sub/../sub/release.yml")
    assert said == "pipeline 'release': may use 'web'\n"
    assert sluice.json("connection", "show", "web")["pipelines"] == ["release"]
    assert "(as before)" in sluice("connection", "permit", "web", "--pipeline", "sub/release.yml")
    sluice("connection", "permit", "web", "--pipeline", str(sluice.folder / "sub" / "release.yml"))
    assert len(sluice.json("pipeline", "list")) == 1
    sluice.folder.joinpath("sub", "release.yml").unlink()
    sluice("connection", "revoke", "web", "--pipeline", "sub/release.yml")
    assert sluice.json("connection", "show", "web")["pipelines"] == []
    refused = sluice("connection", "revoke", "web", "--pipeline", "other.yml", status=2)
    assert "there is no pipeline 'other.yml' (one that has never been run is named by the path of its file)" in refused


def test_a_deleted_connection_keeps_its_history_under_its_name(sluice: Sluice) -> None:
    sluice.create()
    sluice("connection", "verify", "web", status=1)
    uses = sluice.json("connection", "history", "web")
    entries = sluice.json("audit", "list", "--connection", "web")
    assert uses
    sluice("connection", "delete", "web", "--yes")
    result = sluice.run("connection", "history", "WEB", "--output", "json")
    assert json.loads(result.stdout) == uses
    assert "'WEB' is deleted" in result.stderr
    assert len(sluice.json("audit", "list", "--connection", "web")) == len(entries) + 1
    sluice.create()
    assert sluice.json("connection", "history", "web") == []
    assert "no service connection 'other'" in sluice("connection", "history", "other", status=2)


def test_projects_are_kept_apart(sluice: Sluice) -> None:
    sluice.create("web", "--project", "shop")
    assert sluice.json("connection", "list") == []
    assert [one["name"] for one in sluice.json("connection", "list", "--project", "Shop")] == ["web"]


def test_the_types_tell_their_fields(sluice: Sluice) -> None:
    assert "Remote host over SSH." in sluice("connection", "types")
    fields = {field["key"]: field for field in sluice.json("connection", "types", "SSH")["data"]}
    assert fields["PrivateKey"]["secret"] is True
    assert "username" in sluice("connection", "types", "ssh")


def test_text_of_a_connection_cannot_steer_the_terminal(sluice: Sluice) -> None:
    sluice.create("web", "--description", "x\x1b]0;evil\x07")
    assert "\x1b" not in sluice("connection", "show", "web")


def test_listing_imports_neither_plugins_nor_their_libraries(sluice: Sluice) -> None:
    sluice.create()
    code = (
        "import sys\nfrom sluice.cli.main import main\n"
        "try: main(['connection', 'list'])\nexcept SystemExit: pass\n"
        "names = {'alembic', 'pluggy', 'requests', 'cryptography', 'paramiko', 'rich', 'yaml', 'sluice_ssh'}\n"
        "print(sorted(names & set(sys.modules)), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], env=sluice.environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert "web" in result.stdout
    assert result.stderr.strip() == "[]"


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_on_a_terminal_a_secret_is_asked_for_twice_and_not_shown(sluice: Sluice) -> None:
    arguments = ["connection", "create", "web", "--type", "ssh", "--set", "Host=h", "--set", "username=u"]
    answers = [("password:", f"{SECRET}\n"), ("confirm", f"{SECRET}\n")]
    status, shown = sluice.on_a_terminal([*arguments, "--secret", "password=-"], answers)
    assert status == 0, shown
    assert SECRET not in shown
    assert sluice.json("connection", "show", "web")["secrets"] == ["password"]


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_on_a_terminal_deleting_asks_and_no_means_no(sluice: Sluice) -> None:
    sluice.create("web", "--allow-all-pipelines")
    status, shown = sluice.on_a_terminal(["connection", "delete", "web"], [("[y/N]", "n\n")])
    assert status == 3
    assert "permitted for: all pipelines" in shown
    assert len(sluice.json("connection", "list")) == 1
    status, _ = sluice.on_a_terminal(["connection", "delete", "web"], [("[y/N]", "y\n")])
    assert status == 0
    assert sluice.json("connection", "list") == []


def test_no_command_and_no_file_shows_a_secret(sluice: Sluice) -> None:
    sluice.create("web", "--allow-all-pipelines")
    for arguments in (
        ("connection", "list"),
        ("connection", "list", "--output", "json"),
        ("connection", "show", "web"),
        ("connection", "show", "web", "--output", "json"),
        ("connection", "history", "web", "--output", "json"),
        ("connection", "export"),
        ("connection", "export", "--output", "json"),
        ("audit", "list", "--output", "json"),
        ("audit", "verify"),
        ("key", "rotate"),
        ("plugins", "list", "--output", "json"),
        ("--debug", "connection", "show", "web"),
    ):
        sluice(*arguments)
    sluice("connection", "verify", "web", status=1)
    assert "Traceback" in sluice.run("--debug", "connection", "verify", "web").stderr
    assert SECRET not in sluice.printed
    content = b"".join(file.read_bytes() for file in sluice.home.rglob("*") if file.is_file())
    assert b"web.invalid" in content
    for form in (SECRET.encode(), SECRET.encode().hex().encode(), SECRET.encode("utf-16-le")):
        assert form not in content


def test_what_expires_soon_is_listed(sluice: Sluice) -> None:
    from datetime import UTC, datetime, timedelta

    soon = (datetime.now(UTC) + timedelta(days=12)).strftime("%Y-%m-%d")
    sluice.create("soon", "--expires", soon)
    sluice.create("later", "--expires", "2999-01-31")
    sluice.create("never")
    listed = sluice("connection", "list")
    assert listed.splitlines()[0].split() == ["NAME", "TYPE", "SCHEME", "URL", "STATE", "EXPIRES"]
    assert "2999-01-31" in listed
    assert [line.split()[0] for line in sluice("connection", "list", "--expiring", "30d").splitlines()] == [
        "NAME",
        "soon",
    ]
    assert [one["name"] for one in sluice.json("connection", "list", "--expiring", "30")] == ["soon"]
    assert sluice("connection", "list", "--expiring", "0d").strip() == "nothing expires by then"
    assert "is no number of days" in sluice("connection", "list", "--expiring", "soon", status=2)
    assert f"{soon}T00:00:00Z (declared)" in sluice("connection", "show", "soon")
    sluice("connection", "update", "soon", "--expires", "")
    assert "expires" not in sluice("connection", "show", "soon")
    assert "is no date" in sluice("connection", "update", "soon", "--expires", "31.1.", status=2)


def test_a_permit_can_be_limited_and_says_so(sluice: Sluice) -> None:
    sluice.create()
    (sluice.folder / "azure-pipelines.yml").write_text("steps:\n- bash: echo\n")
    permit = ("connection", "permit", "web", "--pipeline", "azure-pipelines.yml")
    done = sluice(*permit, "--stage", "Deploy", "--branch", "main", "--task", "SSH@0")
    limits = "stages Deploy; branches refs/heads/main; tasks SSH@0"
    assert f"may use 'web' within {limits}" in done
    assert f"({limits})" in sluice("connection", "show", "web")
    assert "(as before)" in sluice(*permit, "--task", "SSH@0", "--stage", "Deploy", "--branch", "refs/heads/main")
    assert "(as before)" not in sluice(*permit)
    assert limits not in sluice("connection", "show", "web")
    assert sluice.json(*permit, "--stage", "A")["limits"] == {"stages": ["A"]}
    assert "names no task" in sluice(*permit, "--task", "not a task", status=2)
    assert "is whole" in sluice("audit", "verify")


def test_a_deletion_tells_of_the_checks_that_ask_through_the_connection(sluice: Sluice) -> None:
    sluice.json("connection", "create", "gate", "--type", "generic", "--url", "https://gate.invalid")
    sluice("environment", "create", "prod")
    sluice("check", "add", "rest-api", "--environment", "prod", "--set", "connectedServiceName=gate")
    sluice("check", "add", "exclusive-lock", "--connection", "gate")
    told = sluice("connection", "delete", "gate", status=2)
    assert "1 check on it; check 1 of other resources cannot ask without it" in told
    assert "connectedServiceName          gate" in sluice("check", "show", "1")


def test_a_deletion_shows_what_it_breaks_and_is_undone(sluice: Sluice) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text("steps:\n- bash: echo\n")
    sluice.create()
    sluice("connection", "permit", "web", "--pipeline", "azure-pipelines.yml")
    told = sluice("connection", "delete", "web", status=2)
    assert f"add --yes; permitted for: {sluice.folder.name}" in told
    deleted = sluice.json("connection", "delete", "web", "--yes")
    assert (deleted["kept"], deleted["checks"], deleted["sharedWith"]) == (True, 0, [])
    assert "web" not in sluice("connection", "list")
    assert "deleted and kept: 'web'" in sluice("connection", "restore", "wob", status=2)
    assert [one["name"] for one in sluice.json("connection", "list", "--deleted")] == ["web"]
    assert sluice.json("connection", "restore", "web")["pipelines"] == [sluice.folder.name]
    assert "is whole" in sluice("audit", "verify")
    sluice("connection", "delete", "web", "--yes")
    assert "forgot" in sluice("connection", "delete", "web", "--for-good", "--yes")
    assert "nothing is deleted and kept" in sluice("connection", "list", "--deleted")
    assert SECRET not in sluice.printed


def test_a_rotation_that_cannot_be_tried_leaves_the_old_secret(sluice: Sluice) -> None:
    sluice.create()
    rotate = ("connection", "rotate", "web", "--secret", "password=-")
    sluice(*rotate, given="another-secret-4711", status=1)
    assert sluice.json("connection", "show", "web")["version"] == 1
    assert "password" in sluice(*rotate, "--unverified", given="another-secret-4711")
    assert "put back" in sluice("connection", "rotate", "web", "--undo")
    assert "nothing is kept" in sluice("connection", "rotate", "web", "--undo", status=2)
    assert "no new secrets" in sluice(*rotate, "--undo", given="x-12345", status=2)
    assert "no secret to rotate to" in sluice("connection", "rotate", "web", status=2)


NAMING = """
steps:
- task: SSH@0
  inputs: {sshEndpoint: web, runOptions: inline, inline: uptime}
- task: SSH@0
  inputs: {sshEndpoint: WEB, runOptions: inline, inline: uptime}
"""


def test_usages_unite_who_names_it_who_may_use_it_and_who_has(sluice: Sluice) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text(NAMING)
    (sluice.folder / "nightly.yml").write_text("steps:\n- bash: echo\n")
    (sluice.folder / "broken.yml").write_text("steps:\n- bah: echo\n")
    sluice.create("web", "--set", "Port=1")
    sluice("connection", "update", "web", "--set", "Host=127.0.0.1", "--secret", "password=-", given=SECRET)
    sluice.create("other")
    sluice("connection", "permit", "web", "--pipeline", "nightly.yml", "--stage", "Ship")
    sluice.run("run", "--non-interactive", "--permit", "web")
    by_name = {one["pipeline"]: one for one in sluice.json("connection", "usages", "web")["pipelines"]}
    ours = by_name[sluice.folder.name]
    assert [place["where"] for place in ours["named"]] == ["azure-pipelines.yml:4:25", "azure-pipelines.yml:6:25"]
    assert (ours["permitted"], ours["uses"], ours["lastUsed"] != "") == ("yes", 1, True)
    assert (by_name["nightly"]["permitted"], by_name["nightly"]["uses"]) == ("stages Ship", 0)
    assert "azure-pipelines.yml:4:25 and 1 more" in sluice("connection", "usages", "web")
    assert "not looked at: broken.yml:2:3" in sluice.run("connection", "usages", "web", "broken.yml").stderr
    unused = sluice("connection", "usages", "web", "--unused", "180d").splitlines()
    assert [line.split()[0] for line in unused] == ["PIPELINE", "nightly"]
    assert [one["name"] for one in sluice.json("connection", "usages", "--unused", "0d")] == ["other", "web"]
    assert sluice.json("connection", "usages", "--unused", "1d") == []
    assert "name a service connection" in sluice("connection", "usages", status=2)


def test_pipelines_are_permitted_at_creation_with_it_or_not_at_all(sluice: Sluice) -> None:
    (sluice.folder / "nightly.yml").write_text("steps:\n- bash: echo\n")
    sluice.create("web", "--pipeline", "nightly.yml")
    assert sluice.json("connection", "show", "web")["pipelines"] == ["nightly"]
    fields = ("--type", "ssh", "--set", "Host=h.invalid", "--set", "username=u", "--secret", "password=-")
    told = sluice("connection", "create", "other", *fields, "--pipeline", "nowhere.yml", given=SECRET, status=2)
    assert "there is no pipeline 'nowhere.yml'" in told
    assert [one["name"] for one in sluice.json("connection", "list")] == ["web"]
