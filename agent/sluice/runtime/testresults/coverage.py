"""Code coverage: what Cobertura and JaCoCo files count, kept with the run as a summary, the files and the report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import TaskFailedError
from sluice.runtime.artifacts.publishing import attach, publish
from sluice.runtime.keeping import CONTAINER
from sluice.runtime.step_scope import StepScope
from sluice.runtime.testresults.formats import ResultFileError, read_xml
from sluice.values import dataclass

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ATTACHMENT = "CodeCoverageSummary"
SUMMARY = "DistributedTask.Core.Summary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Lines and branches: how many there are, and how many of them the tests went through."""

    lines: int = 0
    covered_lines: int = 0
    branches: int = 0
    covered_branches: int = 0

    def __add__(self, more: Coverage) -> Coverage:
        return Coverage(
            lines=self.lines + more.lines,
            covered_lines=self.covered_lines + more.covered_lines,
            branches=self.branches + more.branches,
            covered_branches=self.covered_branches + more.covered_branches,
        )

    def text(self) -> list[str]:
        """As lines for people."""
        told = [_share("Lines", self.covered_lines, self.lines)]
        return [*told, _share("Branches", self.covered_branches, self.branches)] if self.branches else told


def read_coverage(file: Path) -> Coverage:
    """What a Cobertura or JaCoCo file counts; raises `ResultFileError` when it is neither."""
    root = read_xml(file)
    if root.tag == "coverage":
        return _cobertura(root)
    if root.tag == "report":
        return _jacoco(root)
    raise ResultFileError(f"Failed to read {file}", why=f"its root <{root.tag}> is neither Cobertura's nor JaCoCo's")


def publish_coverage(
    scope: StepScope, files: Sequence[Path], *, report: Path | None = None, more: Iterable[Path] = ()
) -> Coverage:
    """Keep coverage with the run; raises `TaskFailedError` for a file that cannot be read."""
    try:
        total = sum((read_coverage(file) for file in files), Coverage())
    except ResultFileError as error:
        raise TaskFailedError(str(error)) from error
    for file in files:
        attach(scope, file, ATTACHMENT, scope.masked(file.name))
    _summarize(scope, total)
    run_id = scope.job.request.run_id
    if report is not None:
        publish(scope, report, f"Code Coverage Report_{run_id}", type=CONTAINER)
        scope.say(f"Published '{report}' as artifact 'Code Coverage Report_{run_id}'")
    for file in more:
        publish(scope, file, f"Code Coverage Files_{run_id}", type=CONTAINER)
        scope.say(f"Published '{file}' as artifact 'Code Coverage Files_{run_id}'")
    return total


def _summarize(scope: StepScope, total: Coverage) -> None:
    """A summary as any step may upload one, of its own making."""
    file = scope.job.workspace.temp / f"coverage-{scope.step.id}.md"
    text = "\n".join(("# Code coverage", "", *(f"- {line}" for line in total.text()), ""))
    try:
        file.write_text(text)
    except OSError as error:
        raise TaskFailedError(f"'{file}' cannot be written", why=error.strerror or str(error)) from error
    attach(scope, file, SUMMARY, "Code coverage.md")
    for line in total.text():
        scope.say(line)


def _share(what: str, covered: int, total: int) -> str:
    return f"{what}: {100 * covered / total if total else 0:.1f}% ({covered} of {total})"


def _cobertura(root: Element) -> Coverage:
    """The counts of the root where it has them; older files only have them line by line."""
    if root.get("lines-valid") is not None:
        return Coverage(
            lines=_number(root.get("lines-valid")),
            covered_lines=_number(root.get("lines-covered")),
            branches=_number(root.get("branches-valid")),
            covered_branches=_number(root.get("branches-covered")),
        )
    hits = [_number(line.get("hits")) for lines in root.iter("class") for line in lines.findall("lines/line")]
    return Coverage(lines=len(hits), covered_lines=sum(hit > 0 for hit in hits))


def _jacoco(root: Element) -> Coverage:
    counted = {counter.get("type"): counter for counter in root.findall("counter")}

    def count(kind: str) -> tuple[int, int]:
        counter = counted.get(kind)
        covered, missed = (_number(counter.get(name)) if counter is not None else 0 for name in ("covered", "missed"))
        return covered, covered + missed

    (covered_lines, lines), (covered_branches, branches) = count("LINE"), count("BRANCH")
    return Coverage(lines=lines, covered_lines=covered_lines, branches=branches, covered_branches=covered_branches)


def _number(text: str | None) -> int:
    digits = (text or "").strip()
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 12 else 0
