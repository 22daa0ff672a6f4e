"""Publish profiles: the log-in of one app at its own deployment service (Kudu)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sluice.plugin import Connection, Secret, TaskFailedError, basic

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?")
_METHODS = ("ZipDeploy", "MSDeploy")
_LONGEST = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishProfile:
    """Where an app is deployed to, and with what."""

    url: str
    username: str
    password: Secret = field(repr=False)
    app_url: str = ""

    @property
    def authorization(self) -> Secret:
        """The header of a request."""
        return basic(self.username, self.password)


def profile_of(connection: Connection) -> PublishProfile:
    """The profile of a connection; raises `TaskFailedError` when its XML says no place to deploy to over https."""
    from xml.etree import ElementTree as ET
    from xml.parsers import expat

    text = connection.secret("publishProfile")
    raw = text.reveal().strip() if text else ""
    if not raw:
        raise _unfit(connection, "the connection has no publish profile")
    if len(raw) > _LONGEST or "<!" in raw:  # a document type could name files, and unfold to anything
        raise _unfit(connection, "the publish profile is no plain XML")
    try:
        root = ET.fromstring(raw)  # noqa: S314  # without a document type there is nothing to unfold
    except (ET.ParseError, expat.ExpatError, ValueError):
        raise _unfit(connection, "the publish profile is no XML") from None
    profiles = {one.get("publishMethod", "").casefold(): one for one in root.iter("publishProfile")}
    found = next((profiles[name.casefold()] for name in _METHODS if name.casefold() in profiles), None)
    if found is None:
        raise _unfit(connection, f"the publish profile has no log-in for {' or '.join(_METHODS)}")
    host, user, password = found.get("publishUrl", ""), found.get("userName", ""), found.get("userPWD", "")
    if not _HOST.fullmatch(host) or not user or not password:
        raise _unfit(connection, "the publish profile names no host, user and password")
    return PublishProfile(
        url=f"https://{host.removesuffix(':443')}",
        username=user,
        password=Secret(password),
        app_url=found.get("destinationAppUrl", ""),
    )


def _unfit(connection: Connection, what: str) -> TaskFailedError:
    return TaskFailedError(
        what, where=connection.name, do="download it again: portal, the app, Overview, 'Download publish profile'"
    )
