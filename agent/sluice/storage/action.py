"""One kind of event of the audit log."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.values import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """A kind of event: id, area, category, and the sentence that its details fill in (`{Name}`)."""

    id: str
    area: str
    category: str
    text: str

    def describe(self, details: Mapping[str, object]) -> str:
        """The sentence; a detail that is missing shows as its name in braces."""
        text = self.text
        for name, value in details.items():
            text = text.replace("{" + name + "}", str(value))
        return text
