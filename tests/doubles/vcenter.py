"""What tests know of the vCenter that they start (see tests/real/vmware)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sluice.plugin import Connection
from sluice.testing.connections import make_connection

USER = "corp\\deployer"
PASSWORD = "vcenter-pass/0815-x"


@dataclass(frozen=True)
class VCenter:
    url: str
    authority: Path

    def connection(self, *, url: str = "", password: str = PASSWORD) -> Connection:
        values = {"username": USER, "password": password}
        return make_connection("vmware", "vcenter", url=url or f"{self.url}/", values=values)
