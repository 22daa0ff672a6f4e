"""What a plugin declares: connection types with their fields, and tasks with their inputs.

The command line's prompts, validation, storage, the web form and the reference page all come from these values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, field
from typing import TYPE_CHECKING, Literal

from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.hooks.connection import Connection
    from sluice.hooks.repository import RepositoryRule
    from sluice.hooks.task_run import TaskRun
    from sluice.secret import Secret

FieldKind = Literal["text", "multiline", "number", "boolean", "choice", "connection"]


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a connection.

    `key` is spelt as tasks read it; look-ups ignore case. `validation` is a regular expression that the whole value
    must match, `validation_message` what a person is told otherwise. A field of kind `connection` names another
    service connection (of `connection_type`), which the pipeline needs a permit for as well. `address` marks a field
    that says where the far side is: changing it drops the stored secrets, since they were given for another place.
    `caution` is what whoever permits a use is told while the value is `true`, such as that something is not checked.
    `when` is the key of another field and the values of it that this one goes with, such as
    `("scopeLevel", "ManagementGroup")`: with others it is neither asked for nor required.
    """

    key: str
    label: str
    _: KW_ONLY
    secret: bool = False
    required: bool = False
    help: str = ""
    default: str = ""
    kind: FieldKind = "text"
    choices: tuple[str, ...] = ()
    connection_type: str = ""
    validation: str = ""
    validation_message: str = ""
    address: bool = False
    generated: bool = False
    caution: str = ""
    when: tuple[str, ...] = ()

    def applies(self, values: Mapping[str, str]) -> bool:
        """Whether it goes with these public values of the connection, by key; keys and values ignore case."""
        if not self.when:
            return True
        key, *wanted = (text.casefold() for text in self.when)
        return any(name.casefold() == key and value.casefold() in wanted for name, value in values.items())


@dataclass(frozen=True, slots=True)
class Scheme:
    """An authentication scheme (`authorization.scheme`) and its parameters."""

    name: str
    label: str
    parameters: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """The url rule of a connection type.

    `entered`: a person types it (`required` then says whether it may be left out, `default` what it is if so).
    Otherwise it is made from `template`, whose `{Key}` parts are data values. `chosen_by` is the key of a data value and
    `by_value` the url that goes with each of its values (pairs): only with another value it is entered. A `bare` one is a
    host, with a port or without, and has no scheme.
    """

    label: str = "Server URL"
    help: str = ""
    entered: bool = True
    required: bool = True
    default: str = ""
    template: str = ""
    schemes: tuple[str, ...] = ("https", "http")
    chosen_by: str = ""
    by_value: tuple[tuple[str, str], ...] = ()
    bare: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionType:
    """A kind of service connection; `name` is the REST `type`, compared without regard to case.

    `default_scheme` is taken where a connection names none; without it, one of several has to be named.
    """

    name: str
    label: str
    _: KW_ONLY
    summary: str = ""
    url: Url = field(default_factory=Url)
    schemes: tuple[Scheme, ...] = ()
    default_scheme: str = ""
    data: tuple[Field, ...] = ()

    def scheme(self, name: str) -> Scheme | None:
        """The scheme of that name, ignoring case."""
        wanted = name.casefold()
        return next((scheme for scheme in self.schemes if scheme.name.casefold() == wanted), None)


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a task, as in `task.json`: `type` may be `connectedService:<type>[:<scheme>,...]`."""

    name: str
    _: KW_ONLY
    type: str = "string"
    label: str = ""
    aliases: tuple[str, ...] = ()
    default: str = ""
    required: bool = False
    options: tuple[str, ...] = ()
    visible: str = ""
    help: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A task that a plugin handles in Python.

    `reference` is `Name@Major`. `inputs` is None for a built-in task of Azure Pipelines, whose inputs are known from
    the task catalogue; a task of one's own declares them. `run` returns when the task succeeded and raises
    `TaskFailedError` when it did not.
    """

    reference: str
    run: Callable[[TaskRun], None]
    _: KW_ONLY
    id: str = ""
    label: str = ""
    summary: str = ""
    inputs: tuple[Input, ...] | None = None


Verify = Callable[["Connection"], str]
"""Tries a connection and answers a sentence for the person, or raises `VerificationError` or `TrustNeededError`."""


Prepare = Callable[["Connection"], "Connection"]
"""Makes a stored connection what a use of it receives, such as one with a token that has just been issued.

Called each time a connection leaves the store for a step or a clone, not under any lock: it may ask the far side.
Whatever secret it adds is a `Secret`. Raises `SluiceError` when the far side refuses.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """How the tokens of a connection type are renewed, which another token in the connection makes possible.

    `left` answers for how many seconds the token is good for still: None where it is not renewed (no refresh token, say), 0
    where that is not known. `ask` gets new ones from the far side, by the keys of the scheme's parameters, and the time
    at which they end (seconds since the epoch, 0 where unknown). It is called by one use of a connection at a time, and
    what it answers is stored before anybody uses it. Raises `SluiceError` when the far side refuses.
    """

    left: Callable[[Connection, float], float | None]
    ask: Callable[[Connection, float], tuple[Mapping[str, Secret], float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What a plugin offers: connection types; by type name `verify`, `prepare`, `renew` and `repositories`; tasks."""

    types: tuple[ConnectionType, ...] = ()
    verify: Mapping[str, Verify] = field(default_factory=dict)
    tasks: tuple[Task, ...] = ()
    prepare: Mapping[str, Prepare] = field(default_factory=dict)
    renew: Mapping[str, Renewal] = field(default_factory=dict)
    repositories: Mapping[str, RepositoryRule] = field(default_factory=dict)
