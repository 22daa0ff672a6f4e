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
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

MAX_PATTERN = 4096
"""Bytes of a pattern; a longer spelling is looked for in pieces, which bounds what a stream holds back."""

_MANY = 10_000
"""Patterns from which the helping automaton costs more to build than it saves."""

_SETTLED = 200
"""Texts that are masked without a new secret before the tiers become one."""

_HEAD = 4
"""Bytes of a pattern by which its possible beginnings are found quickly."""

Range = tuple[int, int]


class _Tier:
    """Some patterns, built: finds ranges, and beginnings at the end of a text. Safe to share between threads."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        self._patterns = sorted(patterns)
        self._longest = max(map(len, self._patterns), default=0)
        self._quick: BytesAhoCorasick | None = None
        self._heads: BytesAhoCorasick | None = None
        self._overlaps: dict[int, tuple[int, ...]] = {}
        if self._patterns:
            self._quick = _build(self._patterns, leftmost=True)

    def __len__(self) -> int:
        return len(self._patterns)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._patterns)

    def occurrences(self, text: bytes) -> list[Range]:
        """Every occurrence, but for those within another one."""
        found: list[Range] = []
        if self._quick is not None:
            for pattern, start, end in self._quick.find_matches_as_indexes(text):
                found.append((start, end))
                # The quick search goes on behind this one: what begins within it and ends after it is looked for here.
                for offset in self._openings(pattern):
                    first = start + offset
                    if length := self._longest_at(text[first : first + self._longest]):
                        found.append((first, first + length))
        return found

    def _openings(self, pattern: int) -> tuple[int, ...]:
        """Where within this pattern another one may begin that ends after it."""
        known = self._overlaps.get(pattern)
        if known is None:
            text = self._patterns[pattern]
            known = tuple(index for index in range(1, len(text)) if self._begins_pattern(text[index:]))
            self._overlaps[pattern] = known
        return known

    def _begins_pattern(self, text: bytes) -> bool:
        index = bisect_left(self._patterns, text)
        return index < len(self._patterns) and self._patterns[index].startswith(text)

    def _longest_at(self, text: bytes) -> int:
        """Length of the longest pattern that `text` begins with, 0 for none."""
        while text:
            index = bisect_right(self._patterns, text) - 1
            if index < 0:
                return 0
            pattern = self._patterns[index]
            if text.startswith(pattern):
                return len(pattern)
            # Only what this pattern and the text have in common can be a pattern that they both begin with.
            text = text[: _common(pattern, text)]
        return 0

    def begun(self, text: bytes) -> int:
        """Where a pattern may have begun that the end of `text` cuts."""
        if self._longest < 2:
            return len(text)
        base = max(0, len(text) - self._longest + 1)
        tail = text[base:]
        for start in self._possible_beginnings(tail):
            if self._begins_longer(tail[start:]):
                return base + start
        return len(text)

    def _possible_beginnings(self, tail: bytes) -> Iterable[int]:
        if len(self._patterns) > _MANY:
            return range(len(tail))
        if self._heads is None:
            self._heads = _build(sorted({pattern[:_HEAD] for pattern in self._patterns}), leftmost=False)
        starts = {start for _, start, _ in self._heads.find_matches_as_indexes(tail, overlapping=True)}
        starts.update(range(max(0, len(tail) - _HEAD + 1), len(tail)))
        return sorted(starts)

    def _begins_longer(self, text: bytes) -> bool:
        """Whether `text` is the beginning of a pattern, and not all of it."""
        index = bisect_left(self._patterns, text)
        if index < len(self._patterns) and self._patterns[index] == text:
            index += 1
        return index < len(self._patterns) and self._patterns[index].startswith(text)


class _Automaton:
    """The secrets at one moment: finds ranges, and beginnings at the end of a text. Safe to share between threads.

    They are in several tiers when they came one after another, each about twice as large as the next: a secret that
    comes later has the small ones built anew, seldom the large ones.
    """

    def __init__(self, tiers: tuple[_Tier, ...] = ()) -> None:
        self.tiers = tiers

    def ranges(self, text: bytes) -> list[Range]:
        """All ranges of `text` to mask, sorted and merged."""
        found = self._occurrences(text)
        found.extend(match.span(1) for match in _urls(text))
        return _merge(found)

    def scan(self, text: bytes) -> tuple[list[Range], int]:
        """The ranges, and up to where `text` is settled: what begins before doesn't depend on what comes after it."""
        found = self._occurrences(text)
        settled = min((tier.begun(text) for tier in self.tiers), default=len(text))
        settled = min(settled, _url_begun(text))
        for match in _urls(text):
            found.append(match.span(1))
            # A cut within a URL would hide from the password what makes it one.
            if match.start() < settled < match.end():
                settled = match.start()
        return _merge(found), settled

    def with_more(self, patterns: set[bytes]) -> _Automaton:
        """As this one, with further patterns."""
        tiers = list(self.tiers)
        patterns = set(patterns)
        while tiers and len(tiers[-1]) < 2 * len(patterns):
            patterns.update(tiers.pop())
        return _Automaton((*tiers, _Tier(patterns)))

    def _occurrences(self, text: bytes) -> list[Range]:
        return [found for tier in self.tiers for found in tier.occurrences(text)]


class Masker:
    """The secrets of one job. Secrets may be added at any time, from any thread; they count from then on."""

    def __init__(self, *, minimum: int = MINIMUM, forms: Sequence[Form] = FORMS) -> None:
        self._lock = threading.Lock()
        self._forms = tuple(forms)
        self._minimum = minimum
        self._values: dict[str, str] = {}
        self._patterns: set[bytes] = set()
        self._fresh: set[bytes] = set()
        """Patterns that are not built yet."""
        self._uses = 0
        self._automaton = _Automaton()

    @property
    def minimum(self) -> int:
        """Characters from which a secret is masked."""
        return self._minimum

    @minimum.setter
    def minimum(self, minimum: int) -> None:
        with self._lock:
            self._minimum = minimum
            self._patterns = {pattern for value in self._values for pattern in self._spellings(value)}
            self._automaton, self._fresh = _Automaton(), set(self._patterns)

    @property
    def unmasked(self) -> tuple[str, ...]:
        """Names of the secrets that are too short or too common to be masked."""
        with self._lock:
            return tuple(dict.fromkeys(name for value, name in self._values.items() if name and not self._fit(value)))

    @property
    def known(self) -> Mapping[str, str]:
        """Every secret that has been added, with what a person calls it."""
        with self._lock:
            return dict(self._values)

    @property
    def busy(self) -> bool:
        """Whether there is any secret to mask."""
        return bool(self._patterns)

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
                    self._fresh |= new
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
        if self._fresh or len(self._automaton.tiers) > 1:
            with self._lock:
                self._uses += 1
                if self._fresh:
                    self._automaton = self._automaton.with_more(self._fresh)
                    self._fresh = set()
                    self._uses = 0
                elif self._uses > _SETTLED and len(self._automaton.tiers) > 1:
                    self._automaton = _Automaton((_Tier(self._patterns),))
        return self._automaton

    def _fit(self, value: str) -> bool:
        if not self._minimum:
            return True
        return len(value) >= self._minimum and value.strip().casefold() not in COMMON

    def _spellings(self, value: str) -> Iterable[bytes]:
        if self._fit(value):
            for text in spell(value, self._forms):
                if text.strip() and self._fit(text):
                    yield from _pieces(encode(text))


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


def _common(first: bytes, second: bytes) -> int:
    """How many bytes both begin with."""
    length = min(len(first), len(second))
    return next((index for index in range(length) if first[index] != second[index]), length)


def _pieces(text: bytes) -> Iterable[bytes]:
    """Pieces that cover the text; where all of it stands their ranges touch and become one."""
    if len(text) <= MAX_PATTERN:
        return (text,)
    starts = (*range(0, len(text) - MAX_PATTERN, MAX_PATTERN), len(text) - MAX_PATTERN)
    return (text[start : start + MAX_PATTERN] for start in starts)


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
