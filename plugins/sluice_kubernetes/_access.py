"""How a cluster is reached and what with: the one form that every way of keeping credentials comes down to."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.plugin import Secret

CONTEXT = "sluice"
"""What the context, the cluster and the user of a rendered kubeconfig are called where nobody named them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A cluster's address, whom to trust there, and credentials.

    `authority` is PEM text; empty means the machine's own authorities. `insecure` means that nobody's certificate is
    looked at. `namespace` is what tasks work in when they name none. `context` is a name for people.
    """

    server: str
    authority: str = ""
    insecure: bool = False
    server_name: str = ""
    namespace: str = ""
    context: str = CONTEXT
    token: Secret | None = None
    certificate: Secret | None = None
    key: Secret | None = None
    username: str = ""
    password: Secret | None = None

    def secrets(self) -> Iterator[Secret]:
        """Each secret by itself, for the mask: a line of a log may show one without the rest."""
        yield from (one for one in (self.token, self.key, self.password) if one)

    def kubeconfig(self) -> Secret:
        """A kubeconfig with this and nothing else.

        On one line and not quite JSON: of a secret that is JSON each text in it is masked, and of one that has several
        lines each line, so that names of clusters and namespaces would vanish from logs.
        """
        cluster: dict[str, Any] = {"server": self.server}
        if self.insecure:
            cluster["insecure-skip-tls-verify"] = True
        elif self.authority:
            cluster["certificate-authority-data"] = _encoded(self.authority)
        if self.server_name:
            cluster["tls-server-name"] = self.server_name
        user: dict[str, Any] = {}
        if self.token:
            user["token"] = self.token.reveal()
        if self.certificate and self.key:
            user["client-certificate-data"] = _encoded(self.certificate.reveal())
            user["client-key-data"] = _encoded(self.key.reveal())
        if self.username and self.password:
            user |= {"username": self.username, "password": self.password.reveal()}
        context = {"cluster": CONTEXT, "user": CONTEXT} | ({"namespace": self.namespace} if self.namespace else {})
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self.context,
            "clusters": [{"name": CONTEXT, "cluster": cluster}],
            "users": [{"name": CONTEXT, "user": user}],
            "contexts": [{"name": self.context, "context": context}],
        }
        return Secret(f"{json.dumps(content, ensure_ascii=False)} # for one use")

    def write(self, path: Path) -> None:
        """Write the kubeconfig to a file that only this user can read, in the place of what is there."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.unlink(missing_ok=True)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(self.kubeconfig().reveal())
        fresh.replace(path)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
