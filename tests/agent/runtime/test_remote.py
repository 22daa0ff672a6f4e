"""Where repositories are, by rule and connection."""

from __future__ import annotations

import pytest

from sluice.errors import TaskFailedError
from sluice.hooks.connection import Connection
from sluice.hooks.repository import Login, RepositoryRule, SourceRepository
from sluice.runtime.remote import Remote, locate
from sluice.secret import Secret

SOURCE = SourceRepository(type="depot", name="a/b")
CONNECTION = Connection(id="1", name="main", type="Depot", url="https://depot.example", scheme="Token")


def rule(url: str = "https://depot.example/a/b", *, public: bool = False) -> dict[str, RepositoryRule]:
    made = RepositoryRule(
        types=("depot",),
        url=lambda repository, connection: url,
        login=lambda connection: Login(password=Secret("t-0123")),
        public=(lambda repository: url) if public else None,
        provider="Depot",
    )
    return {"depot": made}


def test_the_rule_of_the_connections_type_says_where() -> None:
    remote = locate(rule(), SOURCE, CONNECTION)
    assert (remote.url, remote.origin, remote.provider) == (
        "https://depot.example/a/b",
        "https://depot.example",
        "Depot",
    )
    assert {secret.reveal() for secret in remote.secrets()} == {"t-0123", "Basic OnQtMDEyMw==", "OnQtMDEyMw=="}


def test_a_public_repository_needs_no_connection_and_gets_no_log_in() -> None:
    remote = locate(rule(public=True), SOURCE, None)
    assert remote.login == Login()
    assert list(remote.secrets()) == []
    with pytest.raises(TaskFailedError, match="names no service connection"):
        locate(rule(), SOURCE, None)


def test_a_connection_opens_only_the_types_that_its_rule_names() -> None:
    other = SourceRepository(type="git", name="a/b")
    with pytest.raises(TaskFailedError, match="'main' does not open repositories of type 'git'"):
        locate(rule(), other, CONNECTION)
    with pytest.raises(TaskFailedError, match="does not open repositories"):
        locate({}, SOURCE, CONNECTION)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:pw@depot.example/a",
        "ext::sh -c id",
        "file:///etc",
        "ssh://depot.example/a",
        "--upload-pack=id",
        "https:///a",
        "https://depot.example/a b",
        "https://depot.example/\n",
        "https://[::1",
    ],
)
def test_whatever_a_plugin_makes_has_to_be_a_plain_address(url: str) -> None:
    with pytest.raises(TaskFailedError, match="address cannot be used") as raised:
        locate(rule(url), SOURCE, CONNECTION)
    assert "pw" not in str(raised.value)


def test_the_log_in_is_not_shown() -> None:
    assert "t-0123" not in repr(Remote(url="https://x/y", login=Login(password=Secret("t-0123"))))
