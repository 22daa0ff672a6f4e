"""Statements on the way of every step and every job, whose text is made once for each kind of database.

The driver takes the values as they are and answers tuples: several times as quick as a statement that SQLAlchemy looks
at anew each time, which was more than half of what recording a step cost. `Transaction` runs them in SQLite so, and as
any other statement elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy
from sqlalchemy.sql.compiler import SQLCompiler

from sluice.values import dataclass

Values = Mapping[str, Any]


class Prepared:
    """A statement that never changes but for its parameters: no `in_`, which has as many as there are values.

    `columns` are the names that an insertion gets values for; none of them may be left to a default.
    """

    def __init__(self, statement: sqlalchemy.Executable, columns: Iterable[str] = ()) -> None:
        self.statement = statement
        self._columns = list(columns) or None
        self._texts: dict[str, Text] = {}

    def text_for(self, dialect: sqlalchemy.Dialect) -> Text:
        """The statement as a driver takes it whose parameters are known by their places."""
        if (text := self._texts.get(dialect.name)) is None:
            text = self._texts[dialect.name] = self._made(dialect)
        return text

    def _made(self, dialect: sqlalchemy.Dialect) -> Text:
        compiled = self.statement.compile(  # type: ignore[attr-defined]  # every statement of ours has it
            dialect=dialect, column_keys=self._columns
        )
        assert isinstance(compiled, SQLCompiler)  # noqa: S101  # tells mypy; DDL is not prepared
        if compiled.insert_prefetch or compiled.update_prefetch or compiled.post_compile_params:
            raise TypeError(f"that cannot be prepared, since its text depends on its values: {compiled}")
        binds = [(name, compiled.binds[name]) for name in compiled.positiontup or ()]
        return Text(
            sql=str(compiled),
            order=tuple((name, None if bind.required else bind.effective_value) for name, bind in binds),
            decode=_decoder(self.statement, dialect),
        )


@dataclass(frozen=True, slots=True)
class Text:
    """What a driver takes: SQL, the parameters in order, and what decodes a row.

    A parameter that the statement itself has a value for comes with it; for any other it is None.
    """

    sql: str
    order: tuple[tuple[str, Any], ...]
    decode: Callable[[Sequence[Any]], tuple[Any, ...]] | None

    def arguments(self, values: Values) -> list[Any]:
        """The values in order; raises `KeyError` when one is missing."""
        return [values[name] if fixed is None else fixed for name, fixed in self.order]


def _decoder(
    statement: sqlalchemy.Executable, dialect: sqlalchemy.Dialect
) -> Callable[[Sequence[Any]], tuple[Any, ...]] | None:
    """What turns a row of the driver's into one of ours, where its types are not the same (truth values, say)."""
    if not isinstance(statement, sqlalchemy.Select):
        return None
    types = [column.type.dialect_impl(dialect) for column in statement.selected_columns]
    steps = [(place, step) for place, kind in enumerate(types) if (step := kind.result_processor(dialect, None))]
    if not steps:
        return None

    def decode(row: Sequence[Any]) -> tuple[Any, ...]:
        values = list(row)
        for place, step in steps:
            values[place] = step(values[place])
        return tuple(values)

    return decode
