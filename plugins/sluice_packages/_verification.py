"""Tries the connections: each asks the cheapest request of its protocol, with credentials and without.

Only the comparison tells much: a server that answers a stranger the same has not looked at the credentials.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from sluice.plugin import Answer, Connection, Probe, Secret, VerificationError
from sluice_packages._login import PackageLogin, verified_login
from sluice_packages._words import printable

_BODY = 256 * 1024
_PYTHON_PAGES = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_FORM = "application/x-www-form-urlencoded"
_ASK_NOTHING = b"%3Aaction=sluice_verify"
"""An upload of nothing: no server knows this action, and it says so once it knows who asks."""
_NOBODY = "c2x1aWNlLXZlcmlmeTpub2JvZHk="
"""`sluice-verify:nobody`, as Basic authentication has it; as a token it is none either."""
DENIED = frozenset({401, 403})
NO_SUCH_REQUEST = frozenset({404, 405, 410, 501})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """One request of a connection, to a service that is called `service`."""

    connection: Connection
    service: str
    url: str
    authorization: Secret | None = None
    method: str = "GET"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, *, authenticate: bool = True) -> Answer:
        probe = Probe(connection=self.connection, authorization=self.authorization, headers=self.headers)
        return probe.ask(self.url, method=self.method, body=self.body, authenticate=authenticate, limit=_BODY)

    def refused(self, answer: Answer) -> VerificationError:
        """Why the answer is none: who asks, what they may, or where."""
        if answer.status == 401:
            what = "the server does not accept the credentials: they are wrong, expired or revoked"
        elif answer.status == 403 and self._made_up().status == 401:
            what = "the server knows who asks, but the account or token may not do this: a scope or a right is missing"
        elif answer.status == 403:
            what = "the server refuses the credentials: they are wrong, or a scope or a right is missing"
        elif answer.status in NO_SUCH_REQUEST:
            what = f"there is no {self.service} at {printable(self.url)}"
        elif answer.status == 407:
            what = "the proxy wants authentication"
        elif answer.status == 429:
            what = "the server was asked too often; try later"
        else:
            what = "the server answered with an error"
        return self.error(what, answer.shown)

    def _made_up(self) -> Answer:
        """What a server says to credentials that nobody has: to many that is 403 as well."""
        known = self.authorization.reveal().partition(" ")[0] if self.authorization else ""
        made_up = Secret(f"{known} {_NOBODY}" if known in {"Basic", "Bearer"} else _NOBODY)
        return replace(self, authorization=made_up).ask()

    def error(self, what: str, why: str = "") -> VerificationError:
        return VerificationError(what, where=self.connection.name, why=why)

    def answered(self, answer: Answer, who: str) -> str:
        """The sentence for a person; it says when the credentials were not looked at."""
        text = f"{answer.origin} is a {self.service}"
        if self.authorization is None:
            return text
        if self.ask(authenticate=False).status == answer.status:
            text += "; it answers the same without the credentials, so they were not checked"
        else:
            text += f" and accepts {who}"
        return text + _unencrypted(answer)


def _unencrypted(answer: Answer) -> str:
    if answer.origin.scheme == "https" or answer.origin.host in {"127.0.0.1", "::1", "localhost"}:
        return ""
    return "; the password was sent without encryption: use https where you can"


def _who(login: PackageLogin) -> str:
    return "the token" if login.is_token else f"the user {printable(login.username)}"


def verify_npm(connection: Connection) -> str:
    """`GET <registry>/-/whoami`, which every registry with log-ins has."""
    from sluice_packages._npmrc import NAMELESS, is_azure_devops, registry_url

    login = verified_login(connection, user=NAMELESS)
    url = registry_url(connection.url)
    bearer = login.is_token and not is_azure_devops(connection)
    authorization = Secret(f"Bearer {login.password.reveal()}") if bearer else login.basic
    trial = _Trial(connection=connection, service="npm registry", url=f"{url}-/whoami", authorization=authorization)
    answer = trial.ask()
    if not answer.ok:
        raise trial.refused(answer)
    body = answer.json()
    if not isinstance(body, dict):
        raise trial.error(f"there is no npm registry at {url}", "its answer to /-/whoami is no JSON object")
    name = body.get("username")
    if not name:
        raise trial.error("the server does not know the credentials", "it answers nobody's name to /-/whoami")
    return f"{answer.origin} is an npm registry and knows the credentials as {printable(name)}{_unencrypted(answer)}"


def verify_nuget(connection: Connection) -> str:
    """`GET <feed>`: a service index (v3) or a service document (v2). An API key is looked at by a push alone."""
    is_key = connection.scheme.casefold() == "none"
    login = None if is_key else verified_login(connection, user="token")
    trial = _Trial(
        connection=connection,
        service="NuGet feed",
        url=connection.url,
        authorization=login.basic if login else None,
    )
    answer = trial.ask()
    if not answer.ok:
        raise trial.refused(answer)
    body = answer.json()
    is_index = isinstance(body, dict) and isinstance(body.get("resources"), list)
    if not is_index and b"<service" not in answer.body[:4096]:
        why = "the answer is neither a service index (v3) nor a service document (v2)"
        raise trial.error(f"there is no NuGet feed at {printable(connection.url)}", why)
    text = trial.answered(answer, _who(login) if login else "")
    return f"{text}; the API key cannot be checked without a push" if is_key else text


def verify_maven(connection: Connection) -> str:
    """`HEAD <repository>`. One that shows no page at its root is told by what it asks of strangers."""
    login = verified_login(connection, user="AzureDevOps")
    url = connection.url.rstrip("/") + "/"
    build = partial(_Trial, connection=connection, service="Maven repository", url=url, authorization=login.basic)
    trial = build(method="HEAD")
    answer = trial.ask()
    if answer.status in {405, 501}:
        trial = build()
        answer = trial.ask()
    if answer.status == 404 and trial.ask(authenticate=False).status in DENIED:
        return f"{answer.origin} accepts {_who(login)}; the repository shows nothing at its root{_unencrypted(answer)}"
    if not answer.ok:
        raise trial.refused(answer)
    return trial.answered(answer, _who(login))


def verify_python_download(connection: Connection) -> str:
    """`GET <index>/`, whose answer is an index page in one of the forms of the Simple API."""
    login = verified_login(connection, user="build")
    trial = _Trial(
        connection=connection,
        service="Python index",
        url=connection.url.rstrip("/") + "/",
        authorization=login.basic,
        headers={"Accept": _PYTHON_PAGES},
    )
    answer = trial.ask()
    if not answer.ok:
        raise trial.refused(answer)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind not in {"text/html", "application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.v1+html"}:
        raise trial.error(f"there is no Python index at {printable(trial.url)}", f"it answers '{printable(kind)}'")
    return trial.answered(answer, _who(login))


def verify_python_upload(connection: Connection) -> str:
    """`POST <repository>` of an action that there is not: known credentials are told so, others are refused."""
    login = verified_login(connection, user="build")
    trial = _Trial(
        connection=connection,
        service="Python repository",
        url=connection.url,
        authorization=login.basic,
        method="POST",
        body=_ASK_NOTHING,
        headers={"Content-Type": _FORM},
    )
    answer = trial.ask()
    if answer.status in DENIED | NO_SUCH_REQUEST or answer.status >= 500:
        raise trial.refused(answer)
    if answer.ok:
        why = f"{answer.shown} to an upload without a package"
        raise trial.error(f"there is no Python repository at {printable(trial.url)}", why)
    return trial.answered(answer, _who(login))


def verify_cargo(connection: Connection) -> str:
    """`GET <index>/config.json` of the sparse index. A token of crates.io is looked at by a publication alone."""
    login = verified_login(connection, user="")
    is_public = login.is_token and _is_crates_io(connection.url)
    index = "https://index.crates.io" if is_public else connection.url.removeprefix("sparse+").rstrip("/")
    trial = _Trial(
        connection=connection,
        service="Cargo registry",
        url=f"{index}/config.json",
        authorization=None if is_public else login.password if login.is_token else login.basic,
    )
    answer = trial.ask()
    if not answer.ok:
        raise trial.refused(answer)
    body = answer.json()
    if not isinstance(body, dict) or "dl" not in body:
        raise trial.error(f"there is no Cargo registry at {printable(index)}", "its config.json names no 'dl'")
    text = trial.answered(answer, _who(login))
    return f"{text}; the token cannot be checked without a publication" if is_public else text


def _is_crates_io(url: str) -> bool:
    from urllib.parse import urlsplit

    return urlsplit(url).hostname == "crates.io"


VERIFY: dict[str, Callable[[Connection], str]] = {
    "externalnpmregistry": verify_npm,
    "externalnugetfeed": verify_nuget,
    "externalmavenrepository": verify_maven,
    "externalPythonDownloadFeed": verify_python_download,
    "externalPythonUploadFeed": verify_python_upload,
    "externalcargorepository": verify_cargo,
}
