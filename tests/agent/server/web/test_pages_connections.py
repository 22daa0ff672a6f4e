"""Service connections on pages: the list, the gallery, the form that a declaration makes, what there is about one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from tests.agent.server.web.conftest import Browser, House, OpenBrowser

from sluice.connections.contributed import FOLDER
from sluice.connections.guard import Unrestricted
from sluice.errors import NotFoundError
from sluice.hooks.manager import installed
from sluice.identity.administration import Administration
from sluice.storage import groups, people, projects
from sluice.testing.ssh_host import SshHost

HOME = "/local/default/_settings/adminservices"
PASSWORD = "correct-horse-7"


@pytest.fixture
def host() -> Iterator[SshHost]:
    with SshHost(password=PASSWORD) as started:
        yield started


def _contributor(house: House, user: str) -> None:
    with house.state.database.write() as transaction:
        home = projects.ensure(transaction, "default")
        Administration(Unrestricted("root")).add_member(transaction, home, groups.CONTRIBUTORS, user, at=time.time())


def _entered(host: SshHost, **more: str) -> dict[str, str]:
    return {
        "name": "build-host",
        "f.Host": "127.0.0.1",
        "f.Port": str(host.port),
        "f.username": host.user,
        "s.password": PASSWORD,
        **more,
    }


def test_without_connections_the_list_says_what_to_do_next(house: House, browser: Browser) -> None:
    house.run("steps: [{script: echo hello}]")
    page = browser.get(HOME)
    assert "No service connections yet" in page.text
    assert "New service connection" in page.text


def test_the_list_has_use_and_expiry(house: House, browser: Browser) -> None:
    house.connection(expires="2001-01-01", description="Front web servers")
    page = browser.get(HOME)
    assert "web1" in page.text
    assert "Front web servers" in page.text
    assert "never" in page.text
    assert "expired" in page.text


def test_the_gallery_has_every_type_that_plugins_declare(house: House, browser: Browser) -> None:
    house.connection()
    page = browser.get(f"{HOME}/new")
    for kind in installed().types.values():
        assert kind.label in page.text


def test_the_form_of_every_type_has_all_its_fields_under_each_method(house: House, browser: Browser) -> None:
    house.connection()
    for kind in installed().types.values():
        for scheme in kind.schemes or (None,):
            page = browser.get(f"{HOME}/new/{kind.name}", scheme=scheme.name if scheme else "")
            assert page.status == 200
            for field in (*kind.data, *(scheme.parameters if scheme else ())):
                if not field.generated:
                    assert f'"{"s" if field.secret else "f"}.{field.key}"' in page.html, (kind.name, field.key)


def test_a_connection_is_verified_as_it_is_entered_and_nothing_is_stored(
    house: House, browser: Browser, host: SshHost
) -> None:
    house.run("steps: [{script: echo hello}]")
    form = browser.get(f"{HOME}/new/ssh")
    wrong = form.submit(
        "", **_entered(host, action="verify", **{"f.HostKey": host.host_key, "s.password": "no-such-1"})
    )
    assert wrong.status == 400
    assert "does not work" in wrong.text or "authentication" in wrong.text.lower()
    assert "no-such-1" not in wrong.html
    right = wrong.submit("", **_entered(host, action="verify", **{"f.HostKey": host.host_key}))
    assert right.status == 200
    assert "It works" in right.text
    assert PASSWORD not in right.html
    with pytest.raises(NotFoundError):
        house.caller.connections.get("default", "build-host")


def test_a_host_that_nobody_knows_is_pinned_once_a_person_has_compared_its_key(
    house: House, browser: Browser, host: SshHost
) -> None:
    house.run("steps: [{script: echo hello}]")
    asked = browser.get(f"{HOME}/new/ssh").submit("", **_entered(host, action="verify-and-save"))
    assert host.fingerprint in asked.text
    stored = asked.submit("", **_entered(host, action="verify-and-save", **{"trust.field": "HostKey"}))
    assert "It works, and is stored" in stored.text
    record = house.caller.connections.get("default", "build-host")
    assert record.data["HostKey"].split()[1] == host.host_key.split()[1]
    assert PASSWORD not in stored.html


def test_what_is_wrong_is_said_with_the_field_marked(house: House, browser: Browser) -> None:
    house.run("steps: [{script: echo hello}]")
    page = browser.get(f"{HOME}/new/ssh").submit("", name="x", action="save", **{"f.Host": "h", "f.Port": "99999"})
    assert page.status == 400
    assert "a port is a number from 1 to 65535" in page.text
    assert 'id="field-Port" name="f.Port" aria-describedby="field-Port-help" aria-invalid="true"' in page.html


def test_an_edit_never_shows_secrets_and_keeps_what_is_left_empty(house: House, browser: Browser) -> None:
    house.connection()
    page = browser.get(f"{HOME}/{house.caller.connections.get('default', 'web1').id}/edit")
    assert PASSWORD not in page.html
    assert "A value is stored" in page.html
    after = page.submit("", description="changed", action="save")
    assert "The change is stored" in after.text
    record = house.caller.connections.get("default", "web1")
    assert record.description == "changed"
    assert ("parameters", "password") in record.secrets


def test_another_address_drops_the_stored_secret_and_verify_does_not_send_it_there(
    house: House, browser: Browser, host: SshHost
) -> None:
    identifier = house.connection()
    page = browser.get(f"{HOME}/{identifier}/edit")
    moved = {"f.Host": "127.0.0.1", "f.Port": str(host.port), "f.HostKey": host.host_key}
    tried = page.submit("", action="verify", **moved)
    assert tried.status == 400
    assert not [event for event in host.events if event.get("password") or event.get("authenticated")]
    saved = page.submit("", action="save", **moved)
    assert "stored secrets were dropped" in saved.text
    assert not house.caller.connections.get("default", "web1").secrets


def test_who_only_reads_sees_no_way_to_change_and_is_refused(house: House, open_browser: OpenBrowser) -> None:
    identifier = house.connection()
    eve = open_browser("eve")
    assert eve.get(f"{HOME}/{identifier}").status == 404
    assert "web1" not in eve.get(HOME).text
    assert eve.get(f"{HOME}/new").status == 403
    refused = eve.post(f"{HOME}/{identifier}/delete", {"__csrf": eve.csrf})
    assert refused.status == 404


def test_a_deletion_shows_what_it_breaks_and_can_be_undone(house: House, browser: Browser) -> None:
    identifier = house.connection()
    run = house.run()
    browser.get("/local/default/_build/results", buildId=run.id).submit("/permit")
    page = browser.get(f"{HOME}/{identifier}/delete")
    assert "1 permit: release" in page.text
    deleted = page.submit("/delete")
    assert "Kept for 30 days" in deleted.text
    back = deleted.submit("/restore")
    assert "It is back" in back.text


def test_a_connection_is_shared_with_another_project(house: House, browser: Browser) -> None:
    identifier = house.connection()
    with house.state.database.write() as transaction:
        projects.ensure(transaction, "shop")
    page = browser.get(f"{HOME}/{identifier}").submit("/share", target="shop", local_name="front")
    assert "It is shared" in page.text
    assert "front" in browser.get("/local/shop/_settings/adminservices").text


def test_pipelines_are_permitted_and_revoked_in_security(house: House, browser: Browser) -> None:
    identifier = house.connection()
    run = house.run()
    path = f"/local/default/_resources/endpoint/{identifier}/security"
    page = browser.get(path)
    added = browser.follow(
        browser.client.post(
            f"{path}/permit",
            data={"__csrf": browser.csrf, "pipeline": str(run.pipeline_id), "stages": "Deploy"},
            headers={"origin": "http://127.0.0.1:8080"},
        )
    )
    assert "may use it, in all waiting and future runs" in added.text
    assert "release" in added.text
    opened = added.submit("/permit", pipeline="0")
    assert "Every pipeline of this project may use it" in opened.text
    restricted = opened.submit("/revoke", pipeline="0")
    assert "Restrict permission" not in restricted.text
    assert page.status == 200


def test_roles_are_given_and_taken_in_security(house: House, browser: Browser, open_browser: OpenBrowser) -> None:
    identifier = house.connection()
    open_browser("ada")
    path = f"/local/default/_resources/endpoint/{identifier}/security"
    given = browser.get(path).submit("/role", subject="ada", role="User")
    assert "The role is changed" in given.text
    assert "ada" in given.text
    wrong = browser.get(path).submit("/role", subject="nobody-here", role="User")
    assert wrong.status == 404
    assert "There is no user or group 'nobody-here'" in wrong.text


def test_a_check_is_added_changed_disabled_and_removed(house: House, browser: Browser) -> None:
    identifier = house.connection()
    path = f"/local/default/_resources/endpoint/{identifier}/checks"
    with house.state.database.read() as transaction:
        name = people.owner(transaction).name
    form = browser.get(f"{path}/new/approval")
    wrong = form.submit("", **{"f.approvers": "nobody-here"})
    assert wrong.status == 404
    added = form.submit("", **{"f.approvers": name, "f.instructions": "Look at the dashboards"})
    assert "The check is added" in added.text
    assert "Look at the dashboards" in added.text
    off = added.submit("/disable")
    assert "Disabled" in off.text
    gone = off.submit("/remove")
    assert "No checks" in gone.text


def test_a_contributor_creates_and_cannot_open_to_all_pipelines(house: House, open_browser: OpenBrowser) -> None:
    house.connection()
    bob = open_browser("bob")
    _contributor(house, "bob")
    page = bob.get(f"{HOME}/new/generic")
    assert page.status == 200
    made = page.submit("", name="mine", url="https://files.example/", action="save")
    assert made.status == 200, made.text
    assert "The service connection is stored" in made.text


def test_the_type_of_an_extension_appears_by_itself_and_its_words_are_text(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    contributed = {
        "name": "Fabrikam",
        "displayName": f"Fabrikam {hostile}",
        "helpMarkDown": hostile,
        "url": {"displayName": f"Server {hostile}", "helpText": hostile, "required": "true"},
        "authenticationSchemes": [{"type": "ms.vss-endpoint.endpoint-auth-scheme-token"}],
        "inputDescriptors": [{"id": "Tenant", "name": f"Tenant {hostile}", "description": hostile}],
    }
    monkeypatch.setenv("SLUICE_HOME", str(house.state.home.root))
    folder = house.state.home.root / FOLDER
    folder.mkdir()
    (folder / "acme.json").write_text(json.dumps({"name": "acme.tools", "types": [contributed]}))
    house.connection()
    gallery, form = browser.get(f"{HOME}/new"), browser.get(f"{HOME}/new/fabrikam")
    assert "Fabrikam" in gallery.text
    assert "Tenant" in form.text
    for page in (gallery, form):
        assert hostile in page.text
        assert "<img" not in page.html
        assert "alert(2)</script>" not in page.html
    made = form.submit(
        "", name="fab", action="save", url="https://f.example/", **{"f.Tenant": "t", "s.apitoken": "x-1234567"}
    )
    assert "The service connection is stored" in made.text
    assert house.caller.connections.get("default", "fab").type == "Fabrikam"


def test_a_federated_connection_says_what_to_enter_at_the_far_side(house: House, browser: Browser) -> None:
    house.connection()
    azure = {
        "name": "azure-prod",
        "scheme": "WorkloadIdentityFederation",
        "action": "save",
        "f.subscriptionId": "11111111-1111-4111-8111-111111111111",
        "f.subscriptionName": "Production",
        "f.serviceprincipalid": "22222222-2222-4222-8222-222222222222",
        "f.tenantid": "33333333-3333-4333-8333-333333333333",
    }
    made = browser.get(f"{HOME}/new/azurerm", scheme="WorkloadIdentityFederation").submit("", **azure)
    assert "The service connection is stored" in made.text, made.text
    assert "Federated credential" in made.text
    assert "sc://" in made.text
    assert "api://AzureADTokenExchange" in made.text
