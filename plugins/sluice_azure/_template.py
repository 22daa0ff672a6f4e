"""Templates and their parameters: JSON files with comments, Bicep files, or addresses of either."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sluice.plugin import Connection, Probe, TaskFailedError, TaskRun
from sluice_azure._az import INSTALL

MAX_BYTES = 16 << 20


def template_of(run: TaskRun, name: str) -> tuple[dict[str, Any], str]:
    """The one template that the input's pattern matches, and the name of its file without an ending."""
    path = one_file(run, name)
    if path.suffix.casefold() == ".bicep":
        return read_json(_bicep(run, path, "build"), str(path)), path.stem
    return read_json(_text(path), str(path)), path.stem


def parameters_of(run: TaskRun, name: str) -> dict[str, Any]:
    """The parameters of the file that the input's pattern matches; none when it is empty."""
    if not run.input(name).strip():
        return {}
    path = one_file(run, name)
    if path.suffix.casefold() == ".bicepparam":
        found = read_json(_bicep(run, path, "build-params"), str(path))
        inner = found.get("parametersJson")
        found = read_json(inner, str(path)) if isinstance(inner, str) else found
    else:
        found = read_json(_text(path), str(path))
    return parameters_in(found, str(path))


def parameters_in(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The parameters of a document, each with its value or the reference to it and nothing else."""
    parameters = document.get("parameters")
    if not isinstance(parameters, dict):
        raise TaskFailedError("the file has no parameters", where=where, do="it needs an object 'parameters'")
    kept: dict[str, Any] = {}
    for name, one in parameters.items():
        for key in ("value", "reference"):
            if isinstance(one, dict) and key in one:
                kept[name] = {key: one[key]}
                break
    return kept


def fetched(connection: Connection, url: str) -> dict[str, Any]:
    """The document at an address that everybody can read: nobody's credentials are sent there."""
    answer = Probe(connection=connection).ask(url, limit=MAX_BYTES, authenticate=False)
    if not answer.ok:
        raise TaskFailedError(f"the file at {url.partition('?')[0]} cannot be read", why=answer.shown)
    return read_json(answer.body.decode("utf-8-sig", "replace"), url.partition("?")[0])


def one_file(run: TaskRun, name: str) -> Path:
    """The one file that a pattern of an input matches."""
    text = run.required(name).strip()
    path = run.path(name)
    found = [path] if path.is_file() else []
    if not found and any(mark in text for mark in "*?"):
        found = [one for one in run.files(run.sources, [text.replace("\\", "/")]) if one.is_file()]
    if len(found) > 1:
        shown = ", ".join(str(one) for one in found[:5])
        raise TaskFailedError(f"the pattern of '{name}' matches more than one file: {shown}", where=run.task)
    if not found:
        what = f"'{path}' is a folder, not a file" if path.is_dir() else f"there is no file '{text}'"
        raise TaskFailedError(what, where=run.task, do=f"see the input '{name}'")
    return found[0]


def read_json(text: str, where: str) -> dict[str, Any]:
    """A JSON object, which may hold comments; raises `TaskFailedError` with the place of what is wrong."""
    try:
        found = json.loads(without_comments(text), strict=False)
    except ValueError as error:
        place = f"{where}:{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else where
        raise TaskFailedError("the file is no JSON", where=place, why=getattr(error, "msg", str(error))) from None
    except RecursionError:
        raise TaskFailedError("the file is nested too deep", where=where) from None
    if not isinstance(found, dict):
        raise TaskFailedError("the file holds no JSON object", where=where)
    return found


def without_comments(text: str) -> str:
    """Blanks in the place of `//` and `/* */` outside strings, so that lines and columns stay."""
    if "//" not in text and "/*" not in text:
        return text
    pieces: list[str] = []
    at = 0
    while at < len(text):
        start = text[at : at + 2]
        if text[at] == '"':
            end = _string_end(text, at)
            pieces.append(text[at:end])
        elif start in {"//", "/*"}:
            mark = "\n" if start == "//" else "*/"
            found = text.find(mark, at + 2)
            end = len(text) if found < 0 else found + (0 if start == "//" else 2)
            pieces.append("".join(letter if letter == "\n" else " " for letter in text[at:end]))
        else:
            found = min((place for mark in ('"', "/") if (place := text.find(mark, at + 1)) > 0), default=len(text))
            end = found
            pieces.append(text[at:end])
        at = end
    return "".join(pieces)


def _string_end(text: str, at: int) -> int:
    at += 1
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    return min(at + 1, len(text))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TaskFailedError("the file is longer than 16 MiB", where=str(path))
        raw = path.read_bytes()
    except OSError as error:
        raise TaskFailedError("the file cannot be read", where=str(path), why=error.strerror or "") from error
    encoding = "utf-16" if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        raise TaskFailedError("the file is no text in UTF-8 or UTF-16", where=str(path)) from None


def _bicep(run: TaskRun, path: Path, command: str) -> str:
    """What Bicep makes of a file; nothing is written beside it."""
    az = run.program("az", install=f"{INSTALL}; Bicep files need it")
    told: list[bytes] = []
    status = run.execute(
        (az, "bicep", command, "--file", str(path), "--stdout"),
        folder=run.sources,
        take=told.append,
        errors=_drop,
        quiet=True,
    )
    if status:
        raise TaskFailedError(
            "Bicep did not build the file", where=str(path), do="see 'az bicep build' and 'az bicep install'"
        )
    return b"".join(told).decode("utf-8-sig", "replace")


def _drop(piece: bytes) -> None:
    """Warnings of Bicep are no part of what it builds."""
