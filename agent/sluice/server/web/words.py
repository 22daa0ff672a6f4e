"""How things are told on pages: states as an icon with words, times and durations as people say them. Pure."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sluice.authorization import texts
from sluice.runs.outcomes import elapsed, in_words
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.records import RecordRow
    from sluice.storage.runs import RunRow

IMPLICIT: Final = "__default"
"""The name of a stage, or of a job's only instance, that nobody wrote."""


@dataclass(frozen=True, slots=True)
class Look:
    """How something stands: the name of an icon, the class of its tone, and the words that go with both."""

    icon: str
    tone: str
    text: str


_RESULTS: Final = {
    "Succeeded": ("ok", "s-ok"),
    "SucceededWithIssues": ("warn", "s-warn"),
    "Failed": ("bad", "s-bad"),
    "Abandoned": ("bad", "s-bad"),
    "Canceled": ("stop", "s-off"),
    "Skipped": ("skip", "s-off"),
}
QUEUED: Final = Look("queued", "s-off", "Not started")
RUNNING: Final = Look("run", "s-run", "Running")
WAITING: Final = Look("wait", "s-wait", "Waiting")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def result_look(result: str) -> Look:
    """How something that is over stands."""
    icon, tone = _RESULTS.get(result, ("ok", "s-off"))
    return Look(icon, tone, _sentence(in_words(result)))


def record_look(record: RecordRow, waits: str = "") -> Look:
    """How an element of a run stands; `waits` says for what, where it does."""
    if record.completed:
        return result_look(record.result)
    if waits:
        return Look("wait", "s-wait", waits)
    if record.state == "inProgress":
        return RUNNING
    return WAITING if record.state == "waiting" else QUEUED


def run_look(run: RunRow, *, waits: bool, driven: bool) -> Look:
    """How a run stands; one that nobody drives and that waits for nobody has been stopped."""
    if run.state == "completed":
        return result_look(run.result)
    if run.cancel_requested_by:
        return Look("run", "s-off", "Canceling")
    if waits:
        return Look("wait", "s-wait", "Waiting for review")
    return RUNNING if driven else Look("queued", "s-off", "Not running")


def check_look(state: str) -> Look:
    """How a check stands."""
    looks = {
        "approved": Look("ok", "s-ok", "Approved"),
        "bypassed": Look("ok", "s-warn", "Bypassed"),
        "rejected": Look("bad", "s-bad", "Rejected"),
        "failed": Look("bad", "s-bad", "Failed"),
        "timedOut": Look("bad", "s-bad", "Timed out"),
        "canceled": Look("stop", "s-off", "Canceled"),
        "running": Look("wait", "s-wait", "Waiting"),
    }
    return looks.get(state, QUEUED)


def label(resource_type: str) -> str:
    """What kind of resource something is."""
    return texts.TYPE_LABELS.get(resource_type, _sentence(resource_type))


def ago(seconds: float, now: float | None = None) -> str:
    """How long something is past, or ahead: `3 min ago`, `in 2 days`; the date where that is far (see `ago` in page.js)."""
    past = (time.time() if now is None else now) - seconds
    if past < -45:
        return f"in {_span(-past)}"
    if past < 45:
        return "just now" if past < 5 else f"{round(past)} s ago"
    if past >= 30 * 86400:
        return day(seconds)
    text = _span(past)
    return "yesterday" if text == "1 day" else f"{text} ago"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{max(minutes, 1)} min"
    hours = round(minutes / 60)
    if hours < 24:
        return f"{hours} h"
    days = round(hours / 24)
    return "1 day" if days == 1 else f"{days} days"


def day(seconds: float) -> str:
    """A date."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def iso(seconds: float) -> str:
    """A moment as programs read it: UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def took(start: float | None, end: float | None) -> str:
    """How long something took; '' while it is not over, or never started."""
    return "" if start is None or end is None else elapsed(end - start)


def minutes(count: int) -> str:
    """A duration in minutes as people say it."""
    for size, name in ((1440, "days"), (60, "hours")):
        if count >= size and count % size == 0:
            return f"{count // size} {name if count // size > 1 else name[:-1]}"
    return f"{count} minutes" if count != 1 else "1 minute"


def size(count: int) -> str:
    """A number of bytes as people say it."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def plain(text: str) -> str:
    """A text without control characters, but for line ends and tabs: what was stored steers nothing."""
    return "".join(one if one.isprintable() or one in "\n\t" else "\N{REPLACEMENT CHARACTER}" for one in text)


def stage_name(name: str) -> str:
    """The name of a stage or job; '' for one that nobody wrote."""
    return "" if name == IMPLICIT else name


def branch(ref: str) -> str:
    """A branch as people call it: without `refs/heads/`."""
    return plain(ref.removeprefix("refs/heads/").removeprefix("refs/"))


def capitalize_first(text: str) -> str:
    """A sentence's beginning."""
    return _sentence(text)
