"""Each scheme of the types that open repositories clones from a real git server, and shows it what it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.conftest import Giver
from tests.doubles.github import GitHub
from tests.doubles.web import served
from tests.real.source.test_checkout import Bench, basic, repository

from sluice.connections.preparation import prepare
from sluice.runtime.request import Result
from sluice.testing.connections import make_connection

if TYPE_CHECKING:
    from tests.real.source.conftest import GitServer

pytestmark = pytest.mark.real

SECRET = "scheme-secret-0815"
GRANT = {"ConfigurationId": "00000000-0000-0000-0000-000000000001", "AccessToken": SECRET}
CASES = [
    ("github", "Token", {"AccessToken": SECRET}, "x-access-token"),
    ("github", "PersonalAccessToken", {"accessToken": SECRET}, "x-access-token"),
    ("github", "OAuth", GRANT, "x-access-token"),
    ("github", "OAuth2", GRANT, "x-access-token"),
    ("githubenterprise", "Token", {"apitoken": SECRET}, "x-access-token"),
    ("githubenterprise", "OAuth2", GRANT, "x-access-token"),
    ("githubenterprise", "UsernamePassword", {"username": "ada", "password": SECRET}, "ada"),
    ("bitbucket", "OAuth2", GRANT, "x-token-auth"),
    ("bitbucket", "Token", {"email": "ada@example.com", "apitoken": SECRET}, "x-bitbucket-api-token-auth"),
    ("bitbucket", "UsernamePassword", {"username": "ada", "password": SECRET}, "ada"),
    ("externaltfs", "Token", {"apitoken": SECRET}, "token"),
    ("externaltfs", "UsernamePassword", {"username": "ada", "password": SECRET}, "ada"),
]


@pytest.mark.parametrize(("kind", "scheme", "values", "user"), CASES, ids=[f"{one[0]}-{one[1]}" for one in CASES])
def test_a_checkout_with_each_scheme(
    git_servers: Callable[..., GitServer],
    tmp_path: Path,
    evidence: Giver,
    kind: str,
    scheme: str,
    values: dict[str, str],
    user: str,
) -> None:
    server = git_servers(accepted=basic(user, SECRET), secrets=(SECRET,))
    server.repository("octo/_git/tools" if kind == "externaltfs" else "octo/tools", {"a.txt": "cloned"})
    if kind == "externaltfs":  # served as <url>/octo/_git/tools.git; git asks without the end
        (server.root / "octo/_git/tools").symlink_to(server.root / "octo/_git/tools.git")
    bench = Bench(tmp_path)
    opened = make_connection(kind, "conn", url=server.url, scheme=scheme, values=values)
    bench.connection = prepare(opened)
    asked = repository("octo/tools", type="git" if kind == "externaltfs" else kind)
    result, log = bench.run(bench.checkout(), bench.script("cat a.txt"), repository=asked)
    assert (result, bench.issues()) == (Result.SUCCEEDED, [])
    assert "cloned" in log
    assert SECRET not in log
    assert server.seen_in_arguments == []
    evidence(kind, scheme, "used", "git http-backend", task="checkout")


def test_a_checkout_with_the_token_of_an_installation(
    git_servers: Callable[..., GitServer], tmp_path: Path, evidence: Giver
) -> None:
    github = GitHub()
    server = git_servers(accepted=basic("x-access-token", "ghs_installation_1"))
    server.repository("octo/tools", {"a.txt": "cloned"})
    bench = Bench(tmp_path)
    with served(github):
        values = {"AppId": github.app, "InstallationId": "77", "PrivateKey": github.private_key}
        app = make_connection("github", "conn", url=github.url, scheme="InstallationToken", values=values)
        prepared = prepare(app)
    bench.connection = make_connection(
        "github", "conn", url=server.url, scheme="Token", values={"AccessToken": _token(prepared.secret("AccessToken"))}
    )
    result, log = bench.run(
        bench.checkout(), bench.script("cat a.txt"), repository=repository("octo/tools", type="github")
    )
    assert (result, bench.issues()) == (Result.SUCCEEDED, [])
    assert "cloned" in log
    assert github.complaints == []
    evidence("github", "InstallationToken", "used", "git http-backend, GitHub (double)", task="checkout")


def _token(secret: object) -> str:
    from sluice.plugin import Secret

    assert isinstance(secret, Secret)
    return secret.reveal()
