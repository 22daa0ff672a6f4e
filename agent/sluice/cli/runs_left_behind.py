"""How what a run has left behind is shown with the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sluice.cli.output import plain
from sluice.cli.runs_artifacts import describe_artifact, files_of, size_of
from sluice.runs.left_behind import MAX_SUMMARY, SUMMARY, LeftBehind, content

if TYPE_CHECKING:
    from sluice.storage.blobs import Blobs
    from sluice.storage.record_details import DetailRow
    from sluice.storage.records import RecordRow
    from sluice.storage.test_results import TestRunRow

MAX_FAILED = 20
"""How many failed tests are listed with a run."""


def describe(found: LeftBehind, records: Sequence[RecordRow]) -> dict[str, Any]:
    """As JSON values."""
    steps = _steps(records)
    return {
        "tags": list(found.tags),
        "artifacts": [describe_artifact(row) for row in found.artifacts],
        "attachments": [
            {"step": steps.get(row.record_id, ""), "type": row.type, "name": row.name, "size": row.size}
            for row in found.attachments
        ],
        "details": [_describe_detail(row) for row in found.details],
        "testRuns": [_describe_tests(row, steps) for row in found.tests],
    }


def lines(found: LeftBehind, records: Sequence[RecordRow]) -> Iterator[str]:
    """As lines behind the run's timeline."""
    if found.tags:
        yield f"Tags: {', '.join(found.tags)}"
    for row in found.artifacts:
        what = f"{files_of(row.files)}, {size_of(row.size)}" if row.manifest else row.location
        yield f"Artifact {row.name}: {what}"
    steps = _steps(records)
    for record, details in _by_record(found.details).items():
        yield f"Details of {steps.get(record, record)}"
        yield from _detail_lines(details, "", "  ")
    for tests in found.tests:
        yield from _test_lines(tests)
    if summaries := sum(row.type == SUMMARY for row in found.attachments):
        yield f"{summaries} summar{'y' if summaries == 1 else 'ies'}: see them with --summary"


def summary_lines(found: LeftBehind, records: Sequence[RecordRow], blobs: Blobs) -> Iterator[str]:
    """The summaries that steps have uploaded, each with its step."""
    steps = _steps(records)
    chosen = [row for row in found.attachments if row.type == SUMMARY]
    for row in chosen:
        yield f"=== {steps.get(row.record_id, '')}: {row.name}"
        text = content(blobs, row, MAX_SUMMARY).decode("utf-8", "replace")
        yield from text.splitlines()
        if row.size > MAX_SUMMARY:
            yield "... the rest is left out: see 'sluice runs attachments'"
    if not chosen:
        yield "The run has no summaries."


def _steps(records: Sequence[RecordRow]) -> dict[str, str]:
    from sluice.runs.identifiers import shown

    return {record.id: shown(record.identifier) for record in records}


def _by_record(details: Sequence[DetailRow]) -> dict[str, list[DetailRow]]:
    found: dict[str, list[DetailRow]] = {}
    for row in details:
        found.setdefault(row.record_id, []).append(row)
    return found


def _detail_lines(details: Sequence[DetailRow], parent: str, indent: str) -> Iterator[str]:
    for row in details:
        if row.parent_id == parent:
            state = row.result or f"{row.state} {row.percent}%"
            yield f"{indent}{row.name}: {state}{f' ({row.operation})' if row.operation else ''}"
            yield from _detail_lines(details, row.id, f"{indent}  ")


def _test_lines(row: TestRunRow) -> Iterator[str]:
    counts = [f"{row.passed} passed", f"{row.failed} failed", f"{row.skipped} skipped"]
    yield f"Tests {row.title}: {row.total} in {row.seconds:.1f} s, {', '.join(counts)}"
    for failure in row.failures[:MAX_FAILED]:
        message = plain(failure["message"].strip().partition("\n")[0])
        yield f"  failed: {failure['name']}{f': {message}' if message else ''}"
    if row.failed > MAX_FAILED:
        yield f"  and {row.failed - MAX_FAILED} more"


def _describe_detail(row: DetailRow) -> dict[str, Any]:
    return {
        "record": row.record_id,
        "id": row.id,
        "parentId": row.parent_id,
        "type": row.type,
        "name": row.name,
        "order": row.order,
        "state": row.state,
        "result": row.result,
        "percentComplete": row.percent,
        "currentOperation": row.operation,
        "startTime": row.started_at,
        "finishTime": row.finished_at,
    }


def _describe_tests(row: TestRunRow, steps: dict[str, str]) -> dict[str, Any]:
    return {
        "title": row.title,
        "runner": row.runner,
        "step": steps.get(row.record_id, ""),
        "total": row.total,
        "passed": row.passed,
        "failed": row.failed,
        "skipped": row.skipped,
        "seconds": row.seconds,
        "platform": row.platform,
        "configuration": row.configuration,
        "failures": [dict(failure) for failure in row.failures],
    }
