"""`PublishTestResults@2`: results of tests become part of the run."""

from __future__ import annotations

from sluice.errors import TaskFailedError
from sluice.runtime.globbing import find_files
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.step_scope import StepScope
from sluice.runtime.testresults.publishing import Wanted, publish_results


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Find the result files and publish what they say."""
    patterns = [line for raw in inputs.text("testResultsFiles").splitlines() if (line := raw.strip())]
    folder = inputs.folder("searchFolder")
    try:
        files = [file for file in find_files(folder, patterns) if file.is_file()]
    except OSError as error:
        raise TaskFailedError(f"'{folder}' cannot be searched", why=error.strerror or str(error)) from error
    if not files:
        text = f"No test result files matching {', '.join(patterns)} were found."
        if inputs.flag("failTaskOnMissingResultsFile"):
            raise TaskFailedError(text)
        scope.issue("warning", text)
        return
    wanted = Wanted(
        runner=inputs.text("testRunner", "JUnit").strip(),
        title=inputs.text("testRunTitle").strip(),
        merge=inputs.flag("mergeTestResults"),
        platform=inputs.text("platform").strip(),
        configuration=inputs.text("configuration").strip(),
        attach=inputs.text("publishRunAttachments", "true").strip().casefold() != "false",
        fail_on_failures=inputs.flag("failTaskOnFailedTests"),
        fail_on_trouble=inputs.flag("failTaskOnFailureToPublishResults"),
    )
    publish_results(scope, files, wanted)
