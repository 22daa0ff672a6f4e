"""What bodies of requests have in common: names without case, more than is known is allowed, texts that can be stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict, model_validator

MAX_NUMBER = 2**31 - 1
MAX_DEPTH = 64

Number = Annotated[int, Path(ge=1, le=MAX_NUMBER)]
"""A number of a pipeline, run, check or log in a path."""

Top = Annotated[int | None, Query(alias="$top", ge=1, le=10_000)]
"""How many are wanted."""


class Body(BaseModel):
    """The body of a request, or a part of one."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        _refuse(data, 0)
        names = {(field.alias or name).casefold(): field.alias or name for name, field in cls.model_fields.items()}
        return {names.get(str(key).casefold(), key): value for key, value in data.items()}


def storable(text: str) -> bool:
    """Whether a text can be stored: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _refuse(data: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError("the value is nested too deeply")
    if isinstance(data, str):
        if not storable(data):
            raise ValueError("a text holds characters that cannot be stored")
    elif isinstance(data, Mapping):
        for key, value in data.items():
            _refuse(key, depth + 1)
            _refuse(value, depth + 1)
    elif isinstance(data, list):
        for value in data:
            _refuse(value, depth + 1)


def choice(value: object, names: tuple[str, ...]) -> str | None:
    """The name that a client means by a text of any case, or by its number; None for neither."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return names[value] if 0 <= value < len(names) else None
    if isinstance(value, str):
        return next((name for name in names if name.casefold() == value.strip().casefold()), None)
    return None
