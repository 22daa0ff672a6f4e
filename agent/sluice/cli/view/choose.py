"""Which view fits: live on a terminal, plain lines anywhere else, silence when the command prints JSON."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from sluice.runs.observer import Observer

    class View(Observer, Protocol):
        """An observer that owns the screen while the run goes on."""

        def suspended(self) -> AbstractContextManager[None]:
            """Leave the screen to a question for a while; what comes meanwhile is shown afterwards."""

        def close(self) -> None:
            """Give the screen back; `run_finished` does so itself."""


def choose_view(
    stream: TextIO, environ: Mapping[str, str], *, verbose: bool = False, output: str = "text", asks: bool = False
) -> View:
    """The view of a run on `stream`.

    `asks` says that the command asks for permits on this terminal, so plain lines need not announce the pause too.
    """
    if output == "json":
        from sluice.cli.view.silent import SilentView

        return SilentView()
    if lively(stream, environ):
        from sluice.cli.view.live import LiveView

        return LiveView(stream, verbose=verbose)
    from sluice.cli.view.plain import PlainView

    return PlainView(stream, asks=asks)


def lively(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether the stream is a terminal that can be redrawn, and nobody asked for plain lines."""
    if environ.get("NO_COLOR") or environ.get("CI", "").lower() not in {"", "0", "false"}:
        return False
    blind = {"dumb", "unknown"} if os.name == "nt" else {"", "dumb", "unknown"}
    return environ.get("TERM", "").lower() not in blind and stream.isatty()
