"""Secrets that show only once what cannot be seen is taken away: NULs of UTF-16, colours and controls in between.

Whoever shows a log on a screen takes escape sequences and control characters out. A secret with a colour in its middle
(`grep --color` does that) would pass by the mask and be whole again there.
"""

from __future__ import annotations

import re

from sluice.runtime.masking import Masker

_CONTROLS = tuple(bytes((code,)) for code in (*range(1, 9), *range(11, 13), *range(14, 32), 127))
_C1 = re.compile(rb"\xc2[\x80-\x9f]")
_REORDERING = re.compile(rb"\xe2(?:\x80[\xaa-\xae]|\x81[\xa6-\xa9])")

_CSI = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]")
"""Colours and what else most output has; what begins with a fixed text is found ten times as quickly."""

# No character class overlaps the one after it: linear, whatever the text.
_UNSEEN = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"
    rb"|\xc2\x9b[0-?]*[ -/]*[@-~]"
    rb"|(?:\x1b[\]PX^_]|\xc2[\x90\x98\x9d-\x9f])[^\n\r\x07\x1b\xc2]*(?:\x07|\x1b\\|\xc2\x9c)"
    rb"|\x1b[ -/]*[0-~]"
    rb"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
    rb"|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]"
)


def without_nuls(text: bytes) -> bytes:
    """The text as a screen shows it when it was UTF-16: nothing that is logged needs a NUL."""
    return text.replace(b"\0", b"") if b"\0" in text else text


def seen(text: bytes) -> bytes:
    """The text without escape sequences and control characters."""
    bare = _CSI.sub(b"", text) if b"\x1b[" in text else text
    return _UNSEEN.sub(b"", bare) if _is_suspect(bare) else bare


def uncovered(text: bytes, masker: Masker) -> bytes:
    """The text, but with those lines as they are seen in which a secret shows only then.

    Most text has nothing to take out, and of the rest most has no secret: both is found out at once.
    """
    if not masker.busy or not _is_suspect(text):
        return text
    bare = seen(text)
    masked = masker.mask(bare)
    if masked == bare or seen(masker.mask(text)) == masked:
        return text
    return b"".join(_line(line, masker) for line in text.splitlines(keepends=True))


def _line(line: bytes, masker: Masker) -> bytes:
    bare = seen(line)
    hidden = bare != line and seen(masker.mask(line)) != masker.mask(bare)
    return bare if hidden else line


def _is_suspect(text: bytes) -> bool:
    return any(one in text for one in _CONTROLS) or (
        not text.isascii() and (_C1.search(text) is not None or _REORDERING.search(text) is not None)
    )
