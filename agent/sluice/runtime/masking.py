"""Replaces secrets in text by `***`: in one text, or in a stream whose chunks cut secrets anywhere.

The meaning is the agent's: every occurrence of every spelling (`mask_forms`) is looked for, overlapping ones too;
ranges that overlap or touch become one, and each is replaced by exactly `***`. The password in a URL's user
information is always masked.

A secret shorter than `MINIMUM` characters, or one of the words in `COMMON`, is not masked: it would turn the log into
asterisks, and tell its value by what is missing. `Masker.unmasked` names those, so that a person can be warned. (The
agent masks even one character; `minimum=0` does so here.)
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sluice.runtime.bytes_text import decode, encode
from sluice.runtime.mask_forms import FORMS, Form, spell

if TYPE_CHECKING:
    from ahocorasick_rs import BytesAhoCorasick

MASK = b"***"

MINIMUM = 3
"""Characters from which a secret is masked."""

COMMON = frozenset({"true", "false", "yes", "null", "none", "undefined"})
"""Words that any log is full of, in lower case."""

MAX_USER = 1024
MAX_PASSWORD = 8192
"""Bytes up to which the parts of a URL's user information are recognised."""

_USER = rb"//[^:/?#\n]{1,%d}" % MAX_USER
_PASSWORD_CHARACTERS = rb"[\w.~\-!$&'()*+,;=:%\x80-\xff]"
_URL = re.compile(_USER + b":(" + _PASSWORD_CHARACTERS + b"{1,%d})@" % MAX_PASSWORD)
_URL_BEGUN = re.compile(_USER + b"(?::" + _PASSWORD_CHARACTERS + b"{0,%d})?|//" % MAX_PASSWORD)
_URL_REACH = MAX_USER + MAX_PASSWORD + 3

_DFA_LIMIT = 20_000
"""Bytes of patterns up to which the quicker, larger automaton is built."""

_LONG = 1024
"""Bytes from which a pattern's overlaps are not worked out beforehand."""

_HEAD = 4
"""Bytes of a pattern by which its possible beginnings are found quickly."""

Range = tuple[int, int]


class _Automaton:
    """The patterns at one moment: finds ranges, and beginnings at the end of a text. Safe to share between threads."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self._patterns = sorted(patterns)
        self._longest = max(map(len, self._patterns), default=0)
        self._quick: BytesAhoCorasick | None = None
        self._overlapping: BytesAhoCorasick | None = None
        self._heads: BytesAhoCorasick | None = None
        self._may_overlap: dict[int, bool] = {}
        if self._patterns:
            self._quick = _build(self._patterns, leftmost=True)

    def ranges(self, text: bytes) -> list[Range]:
        """All ranges of `text` to mask, sorted and merged."""
        found = self._occurrences(text)
        found.extend(match.span(1) for match in _urls(text))
        return _merge(found)

    def scan(self, text: bytes) -> tuple[list[Range], int]:
        """The ranges, and up to where `text` is settled: what begins before doesn't depend on what comes after it."""
        found = self._occurrences(text)
        settled = min(self._pattern_begun(text), _url_begun(text))
        for match in _urls(text):
            found.append(match.span(1))
            # A cut within a URL would hide from the password what makes it one.
            if match.start() < settled < match.end():
                settled = match.start()
        return _merge(found), settled

    def _occurrences(self, text: bytes) -> list[Range]:
        found: list[Range] = []
        if self._quick is not None:
            for pattern, start, end in self._quick.find_matches_as_indexes(text):
                if self._reaches_on(pattern):
                    found.extend(self._all_in(text, start, end))
                else:
                    found.append((start, end))
        return found

    def _reaches_on(self, pattern: int) -> bool:
        """Whether another occurrence may begin within one of this pattern and end after it."""
        known = self._may_overlap.get(pattern)
        if known is None:
            text = self._patterns[pattern]
            known = len(text) > _LONG or any(self._begins_pattern(text[index:]) for index in range(1, len(text)))
            self._may_overlap[pattern] = known
        return known

    def _begins_pattern(self, text: bytes) -> bool:
        index = bisect_left(self._patterns, text)
        return index < len(self._patterns) and self._patterns[index].startswith(text)

    def _all_in(self, text: bytes, start: int, end: int) -> Iterable[Range]:
        """Every occurrence that begins in `[start, end)`; the quick search saw only the leftmost and longest."""
        if self._overlapping is None:
            self._overlapping = _build(self._patterns, leftmost=False)
        window = text[start : end - 1 + self._longest]
        for _, first, last in self._overlapping.find_matches_as_indexes(window, overlapping=True):
            if start + first < end:
                yield start + first, start + last

    def _pattern_begun(self, text: bytes) -> int:
        if self._longest < 2:
            return len(text)
        base = max(0, len(text) - self._longest + 1)
        tail = text[base:]
        if self._heads is None:
            self._heads = _build(sorted({pattern[:_HEAD] for pattern in self._patterns}), leftmost=False)
        starts = {start for _, start, _ in self._heads.find_matches_as_indexes(tail, overlapping=True)}
        starts.update(range(max(0, len(tail) - _HEAD + 1), len(tail)))
        for start in sorted(starts):
            if self._begins_longer(tail[start:]):
                return base + start
        return len(text)

    def _begins_longer(self, text: bytes) -> bool:
        """Whether `text` is the beginning of a pattern, and not all of it."""
        index = bisect_left(self._patterns, text)
        if index < len(self._patterns) and self._patterns[index] == text:
            index += 1
        return index < len(self._patterns) and self._patterns[index].startswith(text)


class Masker:
    """The secrets of one job. Secrets may be added at any time, from any thread; they count from then on."""

    def __init__(self, *, minimum: int = MINIMUM, forms: Sequence[Form] = FORMS) -> None:
        self._lock = threading.Lock()
        self._forms = tuple(forms)
        self._minimum = minimum
        self._values: dict[str, str] = {}
        self._patterns: set[bytes] = set()
        self._automaton: _Automaton | None = _Automaton(())

    @property
    def minimum(self) -> int:
        """Characters from which a secret is masked."""
        return self._minimum

    @minimum.setter
    def minimum(self, minimum: int) -> None:
        with self._lock:
            self._minimum = minimum
            self._patterns = {pattern for value in self._values for pattern in self._spellings(value)}
            self._automaton = None

    @property
    def unmasked(self) -> tuple[str, ...]:
        """Names of the secrets that are too short or too common to be masked."""
        with self._lock:
            return tuple(dict.fromkeys(name for value, name in self._values.items() if name and not self._fit(value)))

    def add(self, value: str, name: str = "") -> bool:
        """Mask this value from now on; False when it is not masked, being too short or too common.

        `name` is what a person calls the secret. An empty value, and one of white space only, is no secret.
        """
        if not value.strip():
            return True
        with self._lock:
            if value not in self._values:
                self._values[value] = name
                if new := set(self._spellings(value)) - self._patterns:
                    self._patterns |= new
                    self._automaton = None
            return self._fit(value)

    def mask(self, text: bytes) -> bytes:
        """A whole text with its secrets replaced."""
        ranges = self.automaton().ranges(text)
        return _replace(text, ranges) if ranges else text

    def mask_text(self, text: str) -> str:
        """As `mask`, for text."""
        if not text:
            return ""
        return decode(self.mask(encode(text)))

    def stream(self) -> MaskStream:
        """A stream of its own; several may be open at a time."""
        return MaskStream(self)

    def automaton(self) -> _Automaton:
        """The automaton of all secrets known now, built when first needed."""
        automaton = self._automaton
        if automaton is None:
            with self._lock:
                automaton = self._automaton
                if automaton is None:
                    automaton = self._automaton = _Automaton(self._patterns)
        return automaton

    def _fit(self, value: str) -> bool:
        if not self._minimum:
            return True
        return len(value) >= self._minimum and value.strip().casefold() not in COMMON

    def _spellings(self, value: str) -> Iterable[bytes]:
        if self._fit(value):
            for text in spell(value, self._forms):
                if text.strip() and self._fit(text):
                    yield encode(text)


class MaskStream:
    """Masks text that arrives in chunks, as if it were masked whole.

    `feed` holds back what may be the beginning of a secret (never more than the longest spelling), `flush` gives the
    rest. Belongs to one thread at a time.
    """

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = b""
        # How far a range that has been written as *** reaches into what is held; None: no range ends here.
        self._covered: int | None = None

    @property
    def holding(self) -> bool:
        """Whether something is held back."""
        return bool(self._held)

    def feed(self, chunk: bytes) -> bytes:
        """What can be written now."""
        text = self._held + chunk if self._held else chunk
        ranges, settled = self._masker.automaton().scan(text)
        return self._write(text, ranges, settled)

    def flush(self) -> bytes:
        """What was held back; the stream can go on afterwards as a new one."""
        text = self._held
        written = self._write(text, self._masker.automaton().ranges(text), len(text))
        self._held, self._covered = b"", None
        return written

    def _write(self, text: bytes, ranges: list[Range], until: int) -> bytes:
        if not ranges and self._covered is None:
            self._held = text[until:]
            return text if until == len(text) else text[:until]
        if self._covered is not None:
            ranges = _merge([(0, self._covered), *ranges])
        parts: list[bytes] = []
        position = 0
        covered: int | None = None
        for start, end in ranges:
            written = self._covered is not None and start == 0
            if start >= until and not written:
                break
            parts.append(text[position:start])
            if not written:
                parts.append(MASK)
            position = end
            if end >= until:
                covered = end - until
                break
        if position < until:
            parts.append(text[position:until])
        self._held, self._covered = text[until:], covered
        return b"".join(parts)


def _build(patterns: Sequence[bytes], *, leftmost: bool) -> BytesAhoCorasick:
    from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

    return BytesAhoCorasick(
        patterns,
        matchkind=MatchKind.LeftmostLongest if leftmost else MatchKind.Standard,
        implementation=Implementation.DFA if sum(map(len, patterns)) <= _DFA_LIMIT else None,
    )


def _urls(text: bytes) -> Iterable[re.Match[bytes]]:
    # Most text holds no user information: two quick searches tell so.
    return _URL.finditer(text) if b"@" in text and b"//" in text else ()


def _url_begun(text: bytes) -> int:
    """Where a URL with user information may have begun that the end of `text` cuts."""
    end = len(text)
    slashes = text.rfind(b"//", max(0, end - _URL_REACH, text.rfind(b"\n", max(0, end - _URL_REACH)) + 1))
    if slashes >= 0 and _URL_BEGUN.fullmatch(text, slashes):
        return slashes
    return end - 1 if text.endswith(b"/") else end


def _merge(ranges: list[Range]) -> list[Range]:
    """Sorted, with those that overlap or touch made one."""
    if len(ranges) < 2:
        return ranges
    ranges.sort()
    merged = [ranges[0]]
    for start, end in ranges[1:]:
        last_start, last_end = merged[-1]
        if start <= last_end:
            if end > last_end:
                merged[-1] = (last_start, end)
        else:
            merged.append((start, end))
    return merged


def _replace(text: bytes, ranges: list[Range]) -> bytes:
    parts: list[bytes] = []
    position = 0
    for start, end in ranges:
        parts.append(text[position:start])
        parts.append(MASK)
        position = end
    parts.append(text[position:])
    return b"".join(parts)
