"""The spellings of a secret that are masked.

Masked for every secret value, beside the value itself:

- trimmed of white space, and of the quotes around it;
- each line of a multi-line value, from `MINIMUM_LINE` characters on, without lines that every key has
  (`-----BEGIN ...-----`, brackets);
- each text in a JSON value, from `MINIMUM_LINE` characters on, in turn line by line;
- escaped for a logging command, a JSON text, a URL (percent encoding);
- quoted for a shell, as `set -x`, `printf %q` and `${var@Q}` print it;
- with backslash escapes undone, as a shell's `echo` prints it;
- base64 at each of the three alignments within a longer text, in both alphabets, also wrapped at 64 and 76 columns;
- hexadecimal, in both cases;
- in UTF-16 without its NULs, which no log has (and so ASCII as it is).

Not masked, since no finite list of spellings could be: a value reversed, compressed, encrypted, encoded twice, or
taken apart character by character.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import quote

from sluice.runtime.bytes_text import decode, encode

MINIMUM_LINE = 8
"""Characters from which a line of a multi-line secret, or a text in a JSON one, counts as secret by itself."""

MINIMUM_ENCODED = 6
"""Characters from which a base64 or hexadecimal spelling is masked; shorter ones are found in any log."""

MAX_JSON = 1 << 20
"""Characters up to which a value is read as JSON."""

_BOILERPLATE = re.compile(r"-----(BEGIN|END)[A-Z0-9 ]*-----|[\W_]*")
_BACKSLASHED = re.compile(r"""\\([\\'"t])""")
_COLUMNS = (64, 76)

Form = Callable[[str], Iterable[str]]


def spell(value: str, forms: Sequence[Form]) -> Iterator[str]:
    """Every spelling to mask of one secret; some may come twice."""
    yield value
    for part in dict.fromkeys(_trimmed(value)):
        yield part
        for form in forms:
            yield from form(part)
    for part in dict.fromkeys((*_lines(value), *_json_texts(value))):
        yield part
        for form in (*_CHEAP, base64_text):
            yield from form(part)


def command_escaped(value: str) -> Iterator[str]:
    """As a task writes it into a logging command."""
    broken = value.replace("\r", "%0D").replace("\n", "%0A")
    yield broken
    escaped = value.replace("%", "%AZP25").replace("\r", "%0D").replace("\n", "%0A")
    yield escaped
    yield escaped.replace("]", "%5D").replace(";", "%3B")


def json_escaped(value: str) -> Iterator[str]:
    """As it stands within a JSON text, with characters beyond ASCII as they are or escaped too."""
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    escaped = json.dumps(value)[1:-1]
    yield escaped
    yield escaped.replace("/", "\\/")


def uri_escaped(value: str) -> Iterator[str]:
    """Percent-encoded: all but `A-Za-z0-9-_.~`, as a path, and as a form."""
    raw = encode(value)
    escaped = quote(raw, safe="")
    yield escaped
    yield quote(raw, safe="/")
    if "%" in escaped:
        yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), escaped)
        yield escaped.replace("%20", "+")


def backslash_unescaped(value: str) -> Iterator[str]:
    """With the backslash taken off an escaped backslash or quote, and a tab for its escape."""
    if "\\" in value:
        yield _BACKSLASHED.sub(lambda match: "\t" if match[1] == "t" else match[1], value)


def shell_quoted(value: str) -> Iterator[str]:
    """Quoted as shells print words that need it."""
    yield shlex.quote(value)
    # The quotes around may belong to a longer word, such as NAME='..'.
    yield value.replace("'", "'\\''")
    yield value.replace("'", "'\"'\"'")
    yield re.sub(r"([^\w@%+=:,./\-~\u0080-\U0010ffff])", r"\\\1", value)
    yield re.sub(r'([\\"$`])', r"\\\1", value)
    if not value.isprintable():
        escapes = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\x1b": "\\E"}
        yield "".join(escapes.get(character, character) for character in value)


def base64_text(value: str) -> Iterator[str]:
    """Base64 of the value alone, and the characters of it that don't depend on what stands around the value."""
    raw = encode(value)
    whole = base64.b64encode(raw).decode("ascii")
    for text in (whole, *_wrapped(whole), *(_aligned(raw, offset) for offset in range(3))):
        if len(text) >= MINIMUM_ENCODED:
            yield text
            if "+" in text or "/" in text:
                yield text.replace("+", "-").replace("/", "_")


def hexadecimal(value: str) -> Iterator[str]:
    """The bytes in hexadecimal, in lower and upper case."""
    text = encode(value).hex()
    if len(text) >= MINIMUM_ENCODED:
        yield text
        yield text.upper()


def utf16_without_nuls(value: str) -> Iterator[str]:
    """In UTF-16, as it is logged: without NULs. Of ASCII that leaves the value itself."""
    if not value.isascii():
        for encoding in ("utf-16-le", "utf-16-be"):
            yield decode(value.encode(encoding, "surrogatepass").replace(b"\0", b""))


_CHEAP: tuple[Form, ...] = (command_escaped, json_escaped, uri_escaped, backslash_unescaped, shell_quoted)

FORMS: tuple[Form, ...] = (*_CHEAP, base64_text, hexadecimal, utf16_without_nuls)
"""What every value goes through."""


def _trimmed(value: str) -> Iterator[str]:
    yield value
    trimmed = value.strip()
    yield trimmed
    yield value.replace("\r\n", "\n").replace("\r", "\n")
    for quoted in (value, trimmed):
        if len(quoted) > 2 and quoted[0] == quoted[-1] and quoted[0] in "'\"":
            yield quoted[1:-1]


def _lines(value: str) -> Iterator[str]:
    if "\n" in value or "\r" in value:
        for raw in value.splitlines():
            line = raw.strip()
            if len(line) >= MINIMUM_LINE and not _BOILERPLATE.fullmatch(line):
                yield line


def _json_texts(value: str) -> Iterator[str]:
    if value.lstrip()[:1] not in ("{", "[") or len(value) > MAX_JSON:
        return
    try:
        waiting: list[object] = [json.loads(value)]
    except (ValueError, RecursionError):
        return
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, str) and len(item) >= MINIMUM_LINE:
            yield item
            yield from _lines(item)


def _wrapped(text: str) -> Iterator[str]:
    for columns in _COLUMNS:
        if len(text) > columns:
            yield from (text[start : start + columns] for start in range(0, len(text), columns))


def _aligned(raw: bytes, offset: int) -> str:
    """What base64 makes of `raw` when `offset` unknown bytes stand before it in its group of three."""
    encoded = base64.b64encode(bytes(offset) + raw).decode("ascii")
    # Bits of the unknown neighbours reach into the first `offset + 1` characters and into the last one.
    begin = offset + 1 if offset else 0
    remainder = (offset + len(raw)) % 3
    return encoded[begin : len(encoded) - (0, 3, 2)[remainder]]
