"""Variable groups and secure files on pages."""

from __future__ import annotations

import pytest
from tests.agent.server.web.conftest import Browser, House, OpenBrowser

from sluice.errors import NotFoundError

HOME = "/local/default/_library"


@pytest.fixture(autouse=True)
def project(house: House) -> None:
    house.run("steps: [{script: echo hello}]")


def test_an_empty_library_says_what_to_do_next(browser: Browser) -> None:
    assert "No variable groups yet" in browser.get(HOME).text
    assert "No secure files yet" in browser.get(HOME, view="files").text


def test_a_group_is_made_changed_and_deleted_and_its_secrets_never_come_back(house: House, browser: Browser) -> None:
    made = browser.get(f"{HOME}/groups/new").submit(
        "",
        **{"group": "settings", "name.1": "region", "value.1": "north", "kind.1": "plain"},
        **{"name.2": "token", "value.2": "tok-1234567", "kind.2": "secret"},
        **{"name.3": "other", "value.3": "env:OTHER", "kind.3": "reference"},
    )
    assert made.status == 200
    assert "region" in made.text
    assert "tok-1234567" not in made.html
    edit = browser.follow(browser.client.get(f"{made.response.url.path}/edit"))
    assert "tok-1234567" not in edit.html
    numbers = {
        value: key.partition(".")[2] for key, value in edit.forms()[-1].values.items() if key.startswith("name.")
    }
    changed = edit.submit("", **{f"name.{numbers['region']}": "", "name.9": "zone", "value.9": "b", "kind.9": "plain"})
    assert changed.status == 200
    group = house.caller.groups.get("default", "settings")
    assert group.names() == ("other", "token", "zone")
    assert group.secrets == {"token"}
    gone = changed.submit("/delete")
    assert "No variable groups yet" in gone.text
    with pytest.raises(NotFoundError):
        house.caller.groups.get("default", "settings")


def test_a_group_that_cannot_be_stored_is_shown_again_with_what_was_entered(browser: Browser) -> None:
    page = browser.get(f"{HOME}/groups/new").submit(
        "", **{"group": "settings", "name.1": "$(nested)", "value.1": "north", "kind.1": "plain"}
    )
    assert page.status == 400
    assert 'value="$(nested)"' in page.html


def test_many_variables_fit_into_one_form(house: House, browser: Browser) -> None:
    fields = {f"name.{n}": f"v{n}" for n in range(600)} | {f"value.{n}": "x" for n in range(600)}
    made = browser.get(f"{HOME}/groups/new").submit("", group="many", **fields)
    assert made.status == 200
    assert len(house.caller.groups.get("default", "many").variables) == 600


def test_a_secure_file_is_uploaded_up_to_its_limit_and_its_content_never_shown(house: House, browser: Browser) -> None:
    content = b"-----BEGIN KEY----- canary-31415" + b"x" * (10 << 20)
    path = "/local/default/_library/files"
    origin = {"origin": "http://127.0.0.1:8080"}
    sent = {"__csrf": browser.csrf}
    kept = content[: 10 << 20]
    answer = browser.client.post(path, data=sent, files={"file": ("key.pem", kept)}, headers=origin)
    page = browser.follow(answer)
    assert "key.pem" in page.text
    assert "10.5 MB" in page.text
    assert "canary-31415" not in page.html
    assert house.caller.files.get("default", "key.pem").size == 10 << 20
    for big in (content, content * 2):
        refused = browser.client.post(path, data=sent, files={"file": ("big.pem", big)}, headers=origin)
        assert refused.status_code in {400, 413}
    deleted = page.submit("/delete")
    assert "No secure files yet" in deleted.text


def test_who_sees_nothing_of_it_is_told_that_it_is_not_there(house: House, open_browser: OpenBrowser) -> None:
    file = house.caller.files.upload("default", "key.pem", b"content", by="root")
    eve = open_browser("eve")
    assert eve.get(f"{HOME}/files/{file.id}").status == 404
    assert eve.get(f"{HOME}/groups/new").status == 403
