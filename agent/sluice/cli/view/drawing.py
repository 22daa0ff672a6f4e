"""How the live view looks: marks, colours, the region. Imported by `live` only, since it needs rich."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rich import box
from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderResult
from rich.panel import Panel
from rich.style import Style
from rich.table import Table
from rich.text import Text

from sluice.authorization import texts
from sluice.cli.view import words
from sluice.cli.view.board import Board
from sluice.cli.view.controls import one_line
from sluice.cli.view.region import Row, rows
from sluice.cli.view.summary import Line
from sluice.cli.view.tags import says_its_kind
from sluice.runs.outcomes import elapsed
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.requests import RequestRow

_MARKS: Final = {
    "Succeeded": ("✓", "+", "green"),
    "SucceededWithIssues": ("!", "!", "yellow"),
    "Failed": ("✗", "x", "bold red"),
    "Abandoned": ("✗", "x", "bold red"),
    "Canceled": ("■", "#", "yellow"),
    "Skipped": ("–", "-", "bright_black"),  # noqa: RUF001  # a dash as wide as the other marks
    "pending": ("○", ".", "bright_black"),
    "waiting": ("‖", "?", "bold yellow"),
    "inProgress": ("●", "*", "cyan"),
}
_TAGS: Final = {
    "group": ("▸ ", "> ", "bold"),
    "section": ("", "* ", "green"),
    "command": ("$ ", "$ ", "blue"),
    "error": ("error: ", "error: ", "bold red"),
    "warning": ("warning: ", "warning: ", "yellow"),
    "debug": ("debug: ", "debug: ", "magenta"),
}
_TONES: Final = {
    "": "",
    "title": "bold",
    "good": "green",
    "bad": "bold red",
    "warning": "yellow",
    "muted": "bright_black",
}
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MAX_RESOURCES: Final = 4
_WIDEST: Final = 110
_HIGHEST: Final = 16
_ROWS_AT_WORK: Final = 6
"""Lines that what runs keeps beside the box, where the terminal is high enough."""


class Screen(Console):
    """A console of a terminal that may go away: that is the caller's to handle, not a reason to exit here."""

    def on_broken_pipe(self) -> None:
        raise  # noqa: PLE0704  # called while the BrokenPipeError is being handled


@dataclass(frozen=True, slots=True)
class Pens:
    """What a terminal can show: `colours` or none, `unicode` or ASCII."""

    console: Console
    colours: bool
    unicode: bool

    @classmethod
    def of(cls, console: Console) -> Pens:
        """What this console can show. A legacy Windows console understands no escape sequences in log lines."""
        colours = console.color_system is not None and not console.no_color and not console.legacy_windows
        return cls(console, colours, console.encoding.lower().startswith("utf"))

    def paint(self, text: str, style: str) -> str:
        """Text in a style, as a string."""
        if not self.colours or not style or not text:
            return text
        return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)

    def mark(self, state: str, now: float | None = None) -> tuple[str, str]:
        """The mark of a state or result, and its style; with `now` the mark of what runs moves."""
        fancy, simple, style = _MARKS.get(state, (" ", " ", ""))
        if state == "inProgress" and self.unicode and now is not None:
            fancy = _SPINNER[int(now * 10) % len(_SPINNER)]
        return (fancy if self.unicode else simple), style

    def muted(self, text: str) -> str:
        """A remark of the view's own."""
        return self.paint(text, _TONES["muted"])

    def heading(self, text: str) -> str:
        """The first line."""
        return self.paint(text, "bold")

    def prefix(self, path: str) -> str:
        """What stands before each log line of a job when there are several."""
        colours = ("cyan", "magenta", "blue", "green", "yellow")
        bar = "│" if self.unicode else "|"
        return self.paint(f"{path} {bar} ", colours[sum(map(ord, path)) % len(colours)])

    def step_heading(self, path: str, name: str) -> str:
        """The line that a step begins with."""
        arrow = "▶" if self.unicode else "=>"
        return f"{self.prefix(path) if path else ''}{self.paint(f'{arrow} {name}', 'bold cyan')}"

    def tag(self, name: str, text: str) -> str:
        """A tagged log line."""
        fancy, simple, style = _TAGS[name]
        prefix = "" if says_its_kind(name, text) else fancy if self.unicode else simple
        return self.paint(prefix + text, style)

    def ending(self, result: str, title: str, took: str, message: str) -> str:
        """The line that a step, job or stage ends with."""
        mark, style = self.mark(result)
        said = "" if result == "Succeeded" else f": {words.result(result)}"
        tail = f" {self.muted(took)}" if took else ""
        return f"{self.paint(f'{mark} {title}{said}', style)}{tail}{f': {message}' if message else ''}"

    def summary(self, line: Line) -> str:
        """A line of the summary."""
        return self.paint(line.text, _TONES[line.tone])

    def encodable(self, text: str) -> str:
        """Text without what the terminal's encoding has no character for."""
        encoding = self.console.encoding
        return text if self.unicode else text.encode(encoding, "replace").decode(encoding)


@dataclass(frozen=True, slots=True)
class Region:
    """The live region, drawn for the terminal's size at that moment."""

    board: Board
    pens: Pens
    now: float
    partial: Mapping[str, str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, _WIDEST)
        height = max(3, min(console.size.height - 3, _HIGHEST))
        waits, taken = self._waits_that_fit(console, width, height - (_ROWS_AT_WORK if height == _HIGHEST else 2))
        yield self._rule(width)
        yield self._rows(rows(self.board, self.now, height - 1 - taken, self.partial), width)
        if waits:
            yield Panel(
                Text("\n").join(waits),
                title=texts.PANEL_TITLE,
                title_align="left",
                border_style="yellow",
                box=box.ROUNDED if self.pens.unicode else box.ASCII,
                width=width,
            )
        elif taken:
            hint = f"{texts.PANEL_TITLE}: sluice permit {self.board.run.id}"
            yield Text(hint, "bold yellow", no_wrap=True, overflow="ellipsis")

    def _waits_that_fit(self, console: Console, width: int, height: int) -> tuple[list[Text], int]:
        """What stands in the box, with as many resources as there is room for, and the lines that it takes.

        No lines at all mean that there is no room for a box: a single line has to do.
        """
        if not self.board.requests:
            return [], 0
        for most in (_MAX_RESOURCES, 2, 1):
            waits = self._waits(most)
            taken = sum(len(line.wrap(console, width - 4)) for line in waits) + 2
            if taken <= height:
                return waits, taken
        return [], 1

    def _rule(self, width: int) -> Text:
        run = self.board.run
        start = run.started_at if run.started_at is not None else run.created_at
        left = f"{one_line(run.pipeline)} {one_line(run.name)} "
        right = f" {elapsed(self.now - start)}"
        line = Text(left, style="bold", no_wrap=True, overflow="ellipsis")
        line.truncate(max(8, width - len(right) - 4), overflow="ellipsis")
        dashes = max(1, width - line.cell_len - len(right))
        return line.append(("─" if self.pens.unicode else "-") * dashes, "bright_black").append(right, "not bold")

    def _rows(self, shown: list[Row], width: int) -> Table:
        table = Table.grid(padding=0, expand=False)
        table.width = width
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(no_wrap=True, justify="right", min_width=10)
        for row in shown:
            mark, style = self.pens.mark(row.mark, self.now)
            text = Text("  " * row.depth).append(f"{mark} ", style)
            text.append(row.label, "bold" if row.mark in {"inProgress", "waiting"} else "")
            if row.detail:
                text.append(f"  {row.detail if self.pens.unicode else row.detail.replace('·', '-')}", "bright_black")
            table.add_row(text, Text(row.time, "bright_black"))
        return table

    def _waits(self, most: int) -> list[Text]:
        """The banner of each stage that waits, its resources, and the commands that permit them."""
        lines: list[Text] = []
        shown = 0
        for wait in self.board.waits():
            if shown >= most:
                break
            lines.append(Text(wait.banner, "bold yellow"))
            for request in wait.requests[: most - shown]:
                shown += 1
                lines += _resource(request)
        if left := len(self.board.requests) - shown:
            lines.append(Text(f"and {left} more: sluice runs show {self.board.run.id}"))
        return lines


def _resource(request: RequestRow) -> list[Text]:
    place = f"  {one_line(request.where)}" if request.where else ""
    return [
        Text(f"  {words.resource(request)}").append(place, "bright_black"),
        Text(f"    {words.permit_command(request)}", "cyan"),
    ]
