"""Reads the result files of test runners: JUnit, NUnit (2 and 3), xUnit, VSTest (TRX) and CTest."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sluice.errors import SluiceError
from sluice.values import dataclass

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 64 << 20
"""A larger result file is not read."""

Outcome = Literal["passed", "failed", "skipped"]


class ResultFileError(SluiceError):
    """A file of test results that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test; `message` and `details` tell of its failure."""

    name: str
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""
    details: str = ""


def read(file: Path, runner: str) -> list[Case]:
    """The tests of a result file; raises `ResultFileError` when it is none of that runner, or too large."""
    form = FORMATS.get(runner.casefold())
    if form is None:
        raise ResultFileError(f"the test results format '{runner}' is not known", do=f"one of {', '.join(NAMES)}")
    root = read_xml(file)
    try:
        return list(form(root))
    except ValueError as error:
        raise ResultFileError(f"Failed to read {file}", why=str(error)) from error


def read_xml(file: Path) -> Element:
    """The root of an XML file that names nothing outside of it; raises `ResultFileError`."""
    from xml.etree.ElementTree import TreeBuilder
    from xml.parsers import expat

    tree = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.data
    # entities are how a document grows without bound, or reads other files; results need none
    parser.EntityDeclHandler = _refuse_entities
    try:
        parser.Parse(_content(file), True)
        root: Element = tree.close()
    except (expat.ExpatError, LookupError, ValueError, AssertionError) as error:
        text = str(error) or type(error).__name__
        raise ResultFileError(f"Failed to read {file}", why=text.partition("\n")[0]) from error
    return root


def _refuse_entities(name: str, *_: object) -> None:
    raise ValueError(f"it declares the entity '{name}', which results have no use for")


def _content(file: Path) -> bytes:
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(descriptor, "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise ResultFileError(f"Failed to read {file}", why="it is no file")
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise ResultFileError(f"Failed to read {file}", why=error.strerror or str(error)) from error
    if len(content) > MAX_BYTES:
        raise ResultFileError(f"Failed to read {file}", why=f"it is larger than {MAX_BYTES >> 20} MB")
    return content


def _junit(root: Element) -> Iterator[Case]:
    _expect(root, "testsuites", "testsuite")
    for test in _all(root, "testcase"):
        found = {_tag(child): child for child in test}
        bad = found.get("failure", found.get("error"))
        outcome: Outcome = "failed" if bad is not None else "skipped" if "skipped" in found else "passed"
        name = ".".join(filter(None, (test.get("classname", ""), test.get("name", ""))))
        yield Case(
            name=name,
            outcome=outcome,
            seconds=_seconds(test.get("time", "")),
            message=bad.get("message", "") if bad is not None else "",
            details=(bad.text or "") if bad is not None else "",
        )


def _nunit(root: Element) -> Iterator[Case]:
    _expect(root, "test-results", "test-run")
    outcomes: Mapping[str, Outcome] = {
        "success": "passed",
        "passed": "passed",
        "failure": "failed",
        "failed": "failed",
        "error": "failed",
    }
    for test in _all(root, "test-case"):
        yield Case(
            name=test.get("fullname", "") or test.get("name", ""),
            outcome=outcomes.get(test.get("result", "").casefold(), "skipped"),
            seconds=_seconds(test.get("duration", "") or test.get("time", "")),
            message=_text(test, "failure", "message"),
            details=_text(test, "failure", "stack-trace"),
        )


def _xunit(root: Element) -> Iterator[Case]:
    _expect(root, "assemblies", "assembly")
    outcomes: Mapping[str, Outcome] = {"pass": "passed", "fail": "failed"}
    for test in _all(root, "test"):
        yield Case(
            name=test.get("name", ""),
            outcome=outcomes.get(test.get("result", "").casefold(), "skipped"),
            seconds=_seconds(test.get("time", "")),
            message=_text(test, "failure", "message"),
            details=_text(test, "failure", "stack-trace"),
        )


def _vstest(root: Element) -> Iterator[Case]:
    _expect(root, "TestRun")
    outcomes: Mapping[str, Outcome] = {
        "passed": "passed",
        "failed": "failed",
        "error": "failed",
        "timeout": "failed",
        "aborted": "failed",
    }
    for test in _all(root, "UnitTestResult"):
        yield Case(
            name=test.get("testName", ""),
            outcome=outcomes.get(test.get("outcome", "").casefold(), "skipped"),
            seconds=_clock(test.get("duration", "")),
            message=_text(test, "Output", "ErrorInfo", "Message"),
            details=_text(test, "Output", "ErrorInfo", "StackTrace"),
        )


def _ctest(root: Element) -> Iterator[Case]:
    _expect(root, "Site")
    outcomes: Mapping[str, Outcome] = {"passed": "passed", "failed": "failed"}
    for test in _all(root, "Test"):
        status = test.get("Status")
        if status is None:  # the list of names
            continue
        measured = {one.get("name", ""): _text(one, "Value") for one in test.iter() if _tag(one) == "NamedMeasurement"}
        outcome = outcomes.get(status.casefold(), "skipped")
        yield Case(
            name=_text(test, "FullName") or _text(test, "Name"),
            outcome=outcome,
            seconds=_seconds(measured.get("Execution Time", "")),
            message=measured.get("Exit Code", "") if outcome == "failed" else "",
            details=_text(test, "Results", "Measurement", "Value") if outcome == "failed" else "",
        )


FORMATS: Mapping[str, Callable[[Element], Iterator[Case]]] = {
    "junit": _junit,
    "nunit": _nunit,
    "xunit": _xunit,
    "vstest": _vstest,
    "ctest": _ctest,
}
"""By the runner's name in lower case."""

NAMES = ("JUnit", "NUnit", "VSTest", "XUnit", "CTest")

_CLOCK = re.compile(r"(?:(\d{1,6})\.)?(\d{1,6}):(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)\Z")


def _expect(root: Element, *tags: str) -> None:
    if _tag(root) not in tags:
        raise ValueError(f"its root is <{_tag(root)}>, not <{'> or <'.join(tags)}>")


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _all(root: Element, tag: str) -> Iterator[Element]:
    return (element for element in root.iter() if _tag(element) == tag)


def _text(element: Element, *path: str) -> str:
    """The text of the first element at a path of tags; '' where there is none."""
    for tag in path:
        found = next((child for child in element if _tag(child) == tag), None)
        if found is None:
            return ""
        element = found
    return (element.text or "").strip()


def _seconds(text: str) -> float:
    try:
        seconds = float(text.replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < 1e9 else 0.0


def _clock(text: str) -> float:
    """Seconds of `[days.]hours:minutes:seconds`."""
    found = _CLOCK.match(text.strip())
    if found is None:
        return 0.0
    days, hours, minutes, seconds = found.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(seconds)
