"""Jenkins: its remote access API, and who may use it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from sluice.plugin import Answer, Connection, Probe, TaskFailedError, VerificationError, basic
from sluice_ci._service import BODY, Product

PRODUCT = Product(
    name="Jenkins",
    address="the URL is that of Jenkins' first page, with its path if it has one, such as https://ci.example.com/jenkins/",
    permission="in Jenkins, let the account read the server and its jobs (Overall/Read, Job/Read)",
)
_SESSION = re.compile(r"\bJSESSIONID[.\w]*=[^;,\s]+")


def verify(connection: Connection) -> str:
    """Ask for the jobs, as Azure Pipelines does; answer how many the account sees."""
    jobs = Jenkins(connection).json("api/json?tree=jobs[name,displayName]").get("jobs")
    if not isinstance(jobs, list):
        raise VerificationError("there is no Jenkins at the URL", where=connection.name, do=PRODUCT.address)
    return f"Jenkins knows {connection.text('username')}, who sees {len(jobs)} jobs and folders"


@dataclass(frozen=True, slots=True)
class Jenkins:
    """A Jenkins server; paths are relative to its address and may have a query."""

    connection: Connection

    def ask(
        self, path: str, *, method: str = "GET", body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Whatever Jenkins answers; raises `VerificationError` when it cannot be asked."""
        url = f"{self.root}{path}"
        return self.probe(headers).ask(url, method=method, body=body, limit=BODY, follow=method == "GET")

    def json(self, path: str) -> Mapping[str, Any]:
        """The JSON object at the path; raises `VerificationError` when there is none."""
        body: Mapping[str, Any] = PRODUCT.json(self.connection, self.ask(path))
        return body

    def crumb(self) -> Mapping[str, str]:
        """The headers that a change needs against forged requests: the crumb and the session that it is good for.

        None are needed with an API token, or where the protection is switched off.
        """
        answer = self.ask("crumbIssuer/api/json")
        if answer.status == 404:
            return {}
        body = PRODUCT.json(self.connection, answer)
        headers = {str(body.get("crumbRequestField") or "Jenkins-Crumb"): str(body.get("crumb", ""))}
        session = _SESSION.search(answer.headers.get("set-cookie", ""))
        return headers | {"Cookie": session[0]} if session else headers

    @property
    def root(self) -> str:
        return f"{self.connection.url.rstrip('/')}/"

    def probe(self, headers: Mapping[str, str] | None = None) -> Probe:
        password = self.connection.secret("password")
        if not password:
            raise VerificationError("the connection has no password or API token", where=self.connection.name)
        return Probe(
            connection=self.connection,
            authorization=basic(self.connection.text("username"), password),
            headers=headers or {},
            trust_any_certificate=self.connection.text("acceptUntrustedCerts").casefold() == "true",
        )


def job_path(name: str) -> str:
    """The path of a job, such as `job/folder/job/app/`; folders stand before it, with slashes.

    A percent sign stays: Azure Pipelines takes names as they stand in addresses.
    """
    parts = [part for part in name.strip().split("/") if part]
    if not parts or any(part in {".", ".."} for part in parts):
        raise TaskFailedError(f"Invalid job name '{name}'", do="write it as folder/job")
    return "".join(f"job/{quote(part, safe='%')}/" for part in parts)


def branch_path(job: str, branch: str) -> str:
    """The path of a branch's job in a multibranch pipeline: Jenkins writes `/` of a branch as `%2F` in its name."""
    return f"{job}job/{quote(quote(branch.strip(), safe=''), safe='')}/"


def path_of(url: str) -> str:
    """The path of a job that Jenkins names by its full address, whatever address it has for itself."""
    _, found, rest = urlsplit(url).path.partition("/job/")
    return f"job/{rest.rstrip('/')}/" if found else ""
