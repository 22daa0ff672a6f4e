"""Which issues a step's log has shown already, so that none is said twice while the run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sluice.cli.view.controls import one_line

if TYPE_CHECKING:
    from sluice.cli.view.tags import Tag
    from sluice.storage.records import RecordRow

_MAX_KEPT: Final = 200
"""Texts remembered for one step: records keep fewer issues than this."""

_LENGTH: Final = 200


class ShownIssues:
    """Remembers `##[error]` and `##[warning]` lines of running steps."""

    def __init__(self) -> None:
        self._texts: dict[str, set[str]] = {}

    def saw(self, step: RecordRow, tag: Tag) -> None:
        """A tagged line was shown."""
        if tag.name in {"error", "warning"}:
            texts = self._texts.setdefault(step.id, set())
            if len(texts) < _MAX_KEPT:
                texts.add(one_line(tag.text)[:_LENGTH])

    def left(self, record: RecordRow) -> list[Mapping[str, Any]]:
        """The issues of a record that is over and that were not shown; forgets the record."""
        texts = self._texts.pop(record.id, set())
        return [issue for issue in record.issues if _first_line(issue) not in texts]


def _first_line(issue: Mapping[str, Any]) -> str:
    return one_line(str(issue.get("message", "")).partition("\n")[0])[:_LENGTH]
