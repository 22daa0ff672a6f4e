"""What is wrong with an expression, and where in it."""

from __future__ import annotations

from sluice.errors import SluiceError

LONGEST_EXCERPT = 500
"""Characters of an expression or of a value that a message may repeat."""


def excerpt(text: str) -> str:
    """`text`, cut where it is too long for a message."""
    return text if len(text) <= LONGEST_EXCERPT else f"{text[:LONGEST_EXCERPT]}..."


class ExpressionError(SluiceError):
    """An expression that cannot be parsed or evaluated.

    `message` is the service's sentence, `position` the column in `expression` counted from 1 (0: unknown).
    """

    reference = "expression-invalid"

    def __init__(self, message: str, *, position: int = 0, expression: str = "", why: str = "", do: str = "") -> None:
        super().__init__(message, why=why, do=do)
        self.message = message
        self.position = 0
        self.expression = ""
        if position:
            self.locate(position, expression)

    def locate(self, position: int, expression: str) -> None:
        """Name the place, unless a place nearer to the cause was named before."""
        if self.position:
            return
        self.position = position
        self.expression = expression
        self.what = f"{self.message}. Located at position {position} within expression: {excerpt(expression)}"
        self.args = (self.what,)


class MemoryExceededError(ExpressionError):
    """A result would take more memory than one expression may use."""

    reference = "expression-too-large"

    def __init__(self) -> None:
        super().__init__("The maximum allowed memory size was exceeded while evaluating the following expression")

    def locate(self, position: int, expression: str) -> None:
        """Name the expression; the sentence has no room for a position."""
        if self.position:
            return
        self.position = position
        self.expression = expression
        self.what = f"{self.message}: {excerpt(expression)}"
        self.args = (self.what,)
