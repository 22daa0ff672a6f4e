"""Forms that are made of what a plugin declares: what stands in them, and what came back. Secrets go one way only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from sluice.secret import Secret
from sluice.server.web.words import plain
from sluice.values import dataclass

if TYPE_CHECKING:
    from starlette.datastructures import FormData

    from sluice.hooks.declaration import Field

VALUE, SECRET, REFERENCE, STATE = "f.", "s.", "r.", "has."
"""What the names of inputs begin with: public values, secrets, where to read a secret, and boxes that were shown."""

FEW = 4
"""Of more fields than that, some are out of sight at first."""

LONG_HELP = 160
"""Help of more characters shows its first sentence, and the rest when it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A field as the form shows it. `stored` says that a secret is there; what it is never leaves."""

    field: Field
    value: str = ""
    reference: str = ""
    stored: bool = False
    wrong: bool = False
    options: tuple[str, ...] = ()
    advanced: bool = False

    @property
    def id(self) -> str:
        return f"field-{self.field.key}"

    @property
    def name(self) -> str:
        return f"{SECRET if self.field.secret else VALUE}{self.field.key}"

    @property
    def brief(self) -> str:
        """The help, or its beginning where it is long."""
        text = self.field.help
        if len(text) <= LONG_HELP:
            return text
        first, point, _ = text.partition(". ")
        return f"{first}." if point else text

    @property
    def rest(self) -> str:
        """What of the help is shown when it is asked for."""
        return self.field.help[len(self.brief) :].strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What came back: values, secrets and references by key."""

    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)


def filled(form: FormData, fields: Sequence[Field]) -> Filled:
    """What of a form belongs to these fields, as far as they go with the others. A secret left empty stays as it is."""
    values: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    references: dict[str, str] = {}
    for one in fields:
        if one.secret:
            if text := text_of(form, SECRET + one.key):
                secrets[one.key] = Secret(text)
            elif text := text_of(form, REFERENCE + one.key).strip():
                references[one.key] = text
        elif one.kind == "boolean":
            if STATE + one.key in form:
                values[one.key] = "true" if VALUE + one.key in form else "false"
        elif VALUE + one.key in form:
            values[one.key] = text_of(form, VALUE + one.key)
    declared = {one.key: one for one in fields}
    known = {key: one.default for key, one in declared.items()} | values
    apply = {key for key, one in declared.items() if one.applies(known)}
    return Filled(
        values={key: value for key, value in values.items() if key in apply},
        secrets={key: value for key, value in secrets.items() if key in apply},
        references={key: value for key, value in references.items() if key in apply},
    )


def text_of(form: FormData, name: str) -> str:
    """A text of a form, with line feeds as this side has them; '' for a file, or what is not there."""
    value = form.get(name, "")
    return value.replace("\r\n", "\n") if isinstance(value, str) else ""


def is_advanced(one: Field, among: Sequence[Field]) -> bool:
    """Whether a field is out of sight at first: of many, those that are fine as they are."""
    fine = not one.required and not one.secret and not one.generated and not one.when
    fine = fine and all(one.key.casefold() != other.when[0].casefold() for other in among if other.when)
    return len(among) > FEW and fine and one.kind in {"multiline", "choice", "connection", "boolean"}


def shown(
    fields: Iterable[Field],
    values: Mapping[str, str],
    *,
    stored: Iterable[str] = (),
    references: Mapping[str, str] | None = None,
    told: str = "",
    names: Mapping[str, tuple[str, ...]] | None = None,
) -> list[Shown]:
    """The fields of a form with what is in them; those that `told`, an error, names are marked.

    `names` are the connections that fields may name, by their type.
    """
    declared = list(fields)
    kept = {key.casefold() for key in stored}
    known = {key.casefold(): value for key, value in values.items()}
    where = {key.casefold(): value for key, value in (references or {}).items()}
    made = []
    for one in declared:
        key = one.key.casefold()
        value = "" if one.secret else known.get(key, one.default)
        if one.generated and not value:
            continue
        options = (names or {}).get(one.connection_type.casefold(), ()) if one.kind == "connection" else one.choices
        if value and options and value not in options:
            options = (*options, value)
        made.append(
            Shown(
                field=one,
                value=plain(value),
                reference=plain(where.get(key, "")),
                stored=key in kept,
                wrong=f"'{one.key}'" in told,
                options=options,
                advanced=is_advanced(one, declared),
            )
        )
    return made
