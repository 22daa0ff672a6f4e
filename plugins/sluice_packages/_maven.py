"""`MavenAuthenticate@0`: servers with their credentials in the `settings.xml` of the job's home, until the job ends."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from xml.dom import minidom
from xml.dom.minidom import Document, Element
from xml.parsers.expat import ExpatError

from sluice.plugin import Connection, TaskFailedError, TaskRun
from sluice_packages._login import login_of, no_feeds

NAMELESS = "AzureDevOps"
_EMPTY = """<?xml version="1.0" encoding="UTF-8"?>
<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:schemaLocation="http://maven.apache.org/SETTINGS/1.0.0 https://maven.apache.org/xsd/settings-1.0.0.xsd"/>
"""
_MAX_SETTINGS = 1 << 20


def authenticate(run: TaskRun) -> None:
    """Add a `server` for each connection; one that the settings have already is left, with a warning."""
    no_feeds(run.input("artifactsFeeds"), run.task)
    connections = run.connections("mavenServiceConnections")
    if not connections:
        run.warn("No repositories were selected to authenticate, please check your task configuration.")
        return
    run.say(f"Generating configs for {len(connections)} external repositories.")
    file = _file(run)
    settings = _read(run, file)
    root = _root(settings)
    servers = next(iter(_children(root, "servers")), None) or _new(root, "servers")
    for connection in connections:
        _add(run, servers, connection)
    run.restore_at_end(file)
    run.say("Writing new settings.xml with added authentication.")
    _write(file, settings)


def _file(run: TaskRun) -> Path:
    home = run.environment.get("HOME", "")
    if not home:
        raise TaskFailedError("the steps of this job have no HOME, where Maven's settings are", where=run.task)
    folder = Path(home) / ".m2"
    if not folder.is_dir():
        run.say(f".m2 folder not found at location {folder}, creating new folder.")
        folder.mkdir(mode=0o700, parents=True)
    return (folder / "settings.xml").resolve()  # a link stays one


def _read(run: TaskRun, file: Path) -> Document:
    if not file.is_file():
        run.say(f"Creating new settings.xml at path {file}.")
        return minidom.parseString(_EMPTY)  # noqa: S318  # it is ours
    run.say(f"Adding authentication to settings file {file}.")
    content = file.read_bytes()
    if len(content) > _MAX_SETTINGS or b"<!DOCTYPE" in content:
        raise TaskFailedError("Maven's settings are too large, or have a DOCTYPE", where=str(file))
    try:
        document = minidom.parseString(content)  # noqa: S318  # without a DOCTYPE there are no entities
    except ExpatError as error:
        raise TaskFailedError("Maven's settings are no XML", where=str(file), why=str(error)) from error
    if _name(_root(document)) != "settings":
        raise TaskFailedError("this is no settings.xml of Maven", where=str(file))
    return document


def _add(run: TaskRun, servers: Element, connection: Connection) -> None:
    identity = connection.text("RepositoryId")
    if not identity:
        raise TaskFailedError(
            "the service connection names no repository",
            where=connection.name,
            do=f"sluice connection update {connection.name} --set RepositoryId=ID",
        )
    login = login_of(connection, user=NAMELESS)
    known = {_text(one) for server in _children(servers, "server") for one in _children(server, "id")}
    if identity in known:
        run.warn(f"The settings for the feed or repository '{identity}' already exists in the users settings.xml file.")
        return
    server = _new(servers, "server")
    for name, text in (("id", identity), ("username", login.username), ("password", login.password.reveal())):
        _new(server, name).appendChild(_document(server).createTextNode(text))


def _children(parent: Element, name: str) -> list[Element]:
    return [one for one in parent.childNodes if isinstance(one, minidom.Element) and _name(one) == name]


def _new(parent: Element, name: str) -> Element:
    """A new element, with the prefix that its parent has."""
    prefix, colon, _ = parent.tagName.rpartition(":")
    element = _document(parent).createElement(f"{prefix}{colon}{name}")
    parent.appendChild(element)
    return element


def _document(element: Element) -> Document:
    document = element.ownerDocument
    assert document is not None  # noqa: S101  # it was read from one
    return document


def _root(document: Document) -> Element:
    root = document.documentElement
    assert root is not None  # noqa: S101  # without one the text is not read at all
    return root


def _name(element: Element) -> str:
    return element.tagName.rpartition(":")[2]


def _text(element: Element) -> str:
    return "".join(one.data for one in element.childNodes if isinstance(one, minidom.Text)).strip()


def _write(file: Path, settings: Document) -> None:
    content = settings.toxml("utf-8")
    fd, name = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(fd, "wb") as target:
        target.write(content + b"\n")
    Path(name).replace(file)
