"""`PublishCodeCoverageResults@1` and `@2`: coverage becomes part of the run."""

from __future__ import annotations

from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.globbing import find_files
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.step_scope import StepScope
from sluice.runtime.testresults.coverage import publish_coverage


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Find the files and publish what they count."""
    patterns = [line for raw in inputs.text("summaryFileLocation").splitlines() if (line := raw.strip())]
    files = _found(inputs.root, patterns)
    if not files:
        text = f"No code coverage results were found to publish: {', '.join(patterns)}"
        if inputs.flag("failIfCoverageEmpty"):
            raise TaskFailedError(text)
        scope.issue("warning", text)
        return
    more = [line for raw in inputs.text("additionalCodeCoverageFiles").splitlines() if (line := raw.strip())]
    report = inputs.folder("reportDirectory") if inputs.text("reportDirectory").strip() else None
    total = publish_coverage(scope, files, report=report, more=_found(inputs.root, more))
    if not total.lines and inputs.flag("failIfCoverageEmpty"):
        raise TaskFailedError("No code coverage results were found to publish: the files count no lines")


def _found(root: Path, patterns: list[str]) -> list[Path]:
    """Files that patterns mean; one that is written out may lie anywhere."""
    plain = [root / pattern for pattern in patterns if (root / pattern).is_file()]
    try:
        found = find_files(root, patterns)
    except OSError as error:
        raise TaskFailedError(f"'{root}' cannot be searched", why=error.strerror or str(error)) from error
    return list(dict.fromkeys([*plain, *(file for file in found if file.is_file())]))
