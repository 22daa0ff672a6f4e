"""Settings of NuGet for one command: sources and their credentials, in a private file that goes when the command ends."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.dom import minidom
from xml.dom.minidom import Document, Element
from xml.parsers.expat import ExpatError

from sluice.plugin import Connection, TaskFailedError, TaskRun
from sluice_packages._login import login_of, no_feeds

NUGET_ORG = "https://api.nuget.org/v3/index.json"
NAMELESS = "AzureDevOps"
"""The user name that goes with a token, which has none."""
_EMPTY = '<?xml version="1.0" encoding="utf-8"?>\n<configuration/>\n'
_MAX = 1 << 20
_NAME = re.compile(r"[^A-Za-z0-9_.-]")


@contextlib.contextmanager
def settings(run: TaskRun) -> Iterator[Path]:
    """The file for a restoration: the step's own with credentials added, or one with the sources that it chose."""
    own = _chosen(run)
    connections = run.connections("externalEndpoints") if own is not None else ()
    document = _read(own) if own is not None else _sources(run)
    if own is not None:
        _settle(document, own.parent)
    for connection in connections:
        _add_credentials(run, document, connection)
    with tempfile.TemporaryDirectory(prefix="nuget-", dir=run.temp) as name:
        file = Path(name) / "NuGet.config"
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            target.write(document.toxml("utf-8") + b"\n")
        yield file


def _chosen(run: TaskRun) -> Path | None:
    """The file that the step names; None when it chooses feeds itself."""
    if run.input("selectOrConfig").strip().casefold() != "config":
        no_feeds(run.input("feedRestore"), run.task)
        return None
    run.required("nugetConfigPath")
    file = run.path("nugetConfigPath")
    if not file.is_file():
        raise TaskFailedError(f"Not found nugetConfigPath: {file}", where=run.task)
    return file


def _sources(run: TaskRun) -> Document:
    document = minidom.parseString(_EMPTY)  # noqa: S318  # it is ours
    sources = _child(_root(document), "packageSources")
    sources.appendChild(document.createElement("clear"))
    if run.flag("includeNuGetOrg"):
        _add(sources, "add", {"key": "NuGetOrg", "value": NUGET_ORG})
    return document


def _read(file: Path) -> Document:
    content = file.read_bytes()
    if len(content) > _MAX or b"<!DOCTYPE" in content:
        raise TaskFailedError("NuGet's settings are too large, or have a DOCTYPE", where=str(file))
    try:
        document = minidom.parseString(content)  # noqa: S318  # without a DOCTYPE there are no entities
    except ExpatError as error:
        raise TaskFailedError("NuGet's settings are no XML", where=str(file), why=str(error)) from error
    if _root(document).tagName != "configuration":
        raise TaskFailedError("this is no NuGet.config", where=str(file))
    return document


def _settle(document: Document, folder: Path) -> None:
    """Make folders of sources absolute: they start at the file, which is copied to another place."""
    for sources in _children(_root(document), "packageSources"):
        for source in _children(sources, "add"):
            value = source.getAttribute("value")
            if (
                value
                and "://" not in value
                and not Path(value).is_absolute()
                and not re.match(r"[A-Za-z]:|\\\\|%", value)
            ):
                source.setAttribute("value", os.path.normpath(folder / value.replace("\\", "/")))


def _add_credentials(run: TaskRun, document: Document, connection: Connection) -> None:
    login = login_of(connection, user=NAMELESS)
    keys = [
        source.getAttribute("key")
        for sources in _children(_root(document), "packageSources")
        for source in _children(sources, "add")
        if source.getAttribute("value").strip().rstrip("/").casefold() == login.url.strip().rstrip("/").casefold()
    ]
    if not keys:
        run.warn(f"No source of the settings has the URL of the service connection '{connection.name}': {login.url}")
    for key in keys:
        place = _child(_root(document), "packageSourceCredentials")
        name = _element_name(key)
        for old in _children(place, name):
            place.removeChild(old)
        entry = document.createElement(name)
        place.appendChild(entry)
        _add(entry, "add", {"key": "Username", "value": login.username})
        _add(entry, "add", {"key": "ClearTextPassword", "value": login.password.reveal()})


def _element_name(key: str) -> str:
    """A source's name as an element, as NuGet reads it: what an element's name may not hold is written `_x0020_`."""
    written = _NAME.sub(lambda found: f"_x{ord(found[0]):04X}_", key)
    return written if written[:1].isalpha() or written[:1] == "_" else f"_x{ord(key[0]):04X}_{written[1:]}"


def _add(parent: Element, name: str, attributes: dict[str, str]) -> None:
    document = parent.ownerDocument
    assert document is not None  # noqa: S101  # it was made by one
    element = document.createElement(name)
    for key, value in attributes.items():
        element.setAttribute(key, value)
    parent.appendChild(element)


def _child(parent: Element, name: str) -> Element:
    found = next(iter(_children(parent, name)), None)
    if found is None:
        document = parent.ownerDocument
        assert document is not None  # noqa: S101  # it was made by one
        found = document.createElement(name)
        parent.appendChild(found)
    return found


def _children(parent: Element, name: str) -> Sequence[Element]:
    return [one for one in parent.childNodes if isinstance(one, minidom.Element) and one.tagName == name]


def _root(document: Document) -> Element:
    root = document.documentElement
    assert root is not None  # noqa: S101  # without one the text is not read at all
    return root
