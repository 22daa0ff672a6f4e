"""Names as people write them, and the one form in which they are compared."""

from __future__ import annotations

import re
import unicodedata

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def clean_name(text: str) -> str:
    """A name as it is stored: composed (NFC), without surrounding blanks."""
    return unicodedata.normalize("NFC", text).strip()


def name_key(text: str) -> str:
    """The form in which names are compared: NFC, casefolded, without surrounding blanks.

    Look-alike letters of different scripts stay different: only what is the same text is the same name.
    """
    return unicodedata.normalize("NFC", clean_name(text).casefold())


def is_guid(text: str) -> bool:
    """Whether the text is written as an id rather than a name."""
    return GUID.fullmatch(text.strip()) is not None


def hidden_characters(text: str) -> bool:
    """Whether the text holds characters that don't show (controls, zero-width, direction marks, line separators)."""
    if text.isprintable():
        return False
    return any(unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for character in text)
