"""Groups of a step's log, folded: a title and a count at first, everything when the step fails."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from typing import Final, Literal

from sluice.cli.view.tags import Tag, split
from sluice.values import dataclass

_IN_MEMORY: Final = 1 << 20
_CHUNK: Final = 1 << 16
MAX_UNFINISHED: Final = 1 << 16
"""Characters of an unfinished line that are held back; more are shown as a line."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Something to show now: log lines as they are, a tagged line, or the end of a folded group."""

    kind: Literal["lines", "tag", "folded"]
    text: str
    tag: str = ""
    count: int = 0


class Folder:
    """One step's log. Folded text waits in memory, beyond 1 MiB in a temporary file, until the step is over."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose
        self._title: str | None = None  # of the group that is open
        self._count = 0
        self._full = False
        self._kept: tempfile.SpooledTemporaryFile[bytes] | None = None
        self.unfinished = ""

    def take(self, text: str) -> Iterator[Shown]:
        """What to show of the next piece of the log; an unfinished line is held back until it is complete."""
        text = self.unfinished + text
        cut = text.rfind("\n") + 1
        self.unfinished = text[cut:]
        if len(self.unfinished) > MAX_UNFINISHED:
            text, self.unfinished, cut = text + "\n", "", len(text) + 1
        if cut:
            yield from self._whole(text[:cut])

    def end(self, *, failed: bool) -> Iterator[Shown]:
        """The step is over: what is left, and after a failure what was folded, in full."""
        if self.unfinished:
            last, self.unfinished = self.unfinished + "\n", ""
            yield from self._whole(last)
        yield from self._close_group()
        if self._kept is not None and failed:
            self._kept.seek(0)
            yield from _read(self._kept)
            if self._full:
                yield Shown("tag", "there was no room to keep the rest: see the step's log", "warning")
        self.close()

    def close(self) -> None:
        """Forget what was folded."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _whole(self, text: str) -> Iterator[Shown]:
        for piece in split(text):
            if isinstance(piece, str):
                if self._title is None or self._verbose:
                    yield Shown("lines", piece)
                else:
                    self._fold(piece)
            else:
                yield from self._tag(piece)

    def _tag(self, tag: Tag) -> Iterator[Shown]:
        if tag.name in {"group", "endgroup"}:
            yield from self._close_group()
        if tag.name == "group":
            title = tag.text.strip() or "group"
            yield Shown("tag", title, tag.name)
            self._title, self._count = title, 0
            if not self._verbose:
                self._keep(f"{tag.readable()}\n")
        elif tag.name != "endgroup":
            if self._title is not None and not self._verbose:
                self._fold(f"{tag.readable()}\n")
                if tag.name not in {"error", "warning"}:
                    return
            yield Shown("tag", tag.text.strip(), tag.name)

    def _close_group(self) -> Iterator[Shown]:
        if self._title is not None and not self._verbose:
            yield Shown("folded", self._title, count=self._count)
        self._title = None

    def _fold(self, text: str) -> None:
        self._count += text.count("\n")
        self._keep(text)

    def _keep(self, text: str) -> None:
        if self._full:
            return
        try:
            if self._kept is None:
                self._kept = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  # closed by `close`
            self._kept.write(text.encode())
        except OSError:  # no room: the step's log has it all the same
            self._full = True


def _read(kept: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[Shown]:
    while block := kept.read(_CHUNK):
        yield Shown("lines", (block + kept.readline()).decode())
