from __future__ import annotations

import pytest

from sluice.plugin import ConnectionType, Family, Field, Input, Scheme, Task, Url
from sluice.testing.soundness import problems_of


def sound(*fields: Field, **parts: object) -> Family:
    return Family(types=(ConnectionType("acme", "Acme", data=fields, **parts),))  # type: ignore[arg-type]  # parts of a type


def task(*inputs: Input, reference: str = "Acme@1") -> Family:
    return Family(tasks=(Task(reference, lambda _: None, inputs=inputs),))


def test_a_sound_declaration_has_no_problems() -> None:
    scheme = Scheme("Token", "Token", (Field("apitoken", "Token", secret=True),))
    fields = (Field("Host", "Host", address=True), Field("Mode", "Mode", kind="choice", choices=("a",), default="a"))
    url = Url(entered=False, template="https://{host}", schemes=("https",))
    family = Family(types=(ConnectionType("acme", "Acme", url=url, schemes=(scheme,), data=fields),))
    assert problems_of(family, {}) == []
    known = {"acme": family.types[0]}
    assert problems_of(task(Input("depot", type="connectedService:Acme:token")), known) == []


@pytest.mark.parametrize(
    ("family", "problem"),
    [
        (Family(types=(ConnectionType("a b", "A"),)), "a name is of letters"),
        (Family(types=(ConnectionType("a", " "),)), "has no label"),
        (Family(types=(ConnectionType("a", "A"), ConnectionType("A", "A"))), "'a' is there 2 times"),
        (Family(verify={"other": lambda _: ""}), "verify names the type 'other'"),
        (Family(prepare={"other": lambda one: one}), "prepare names the type 'other'"),
        (sound(Field("k", "K"), Field("K", "K")), "the field 'k' is there 2 times"),
        (sound(schemes=(Scheme("T", "T"), Scheme("t", "t"))), "the scheme 't' is there 2 times"),
        (sound(Field("a b", "A")), "a key is of letters"),
        (sound(Field("a", "")), "field a has no label"),
        (sound(Field("a", "A", secret=True, default="hunter2")), "a secret has no default"),
        (sound(Field("a", "A", secret=True, address=True)), "is no secret"),
        (sound(Field("a", "A", kind="choice")), "a choice without choices"),
        (sound(Field("a", "A", choices=("x",), default="y")), "none of the choices"),
        (sound(Field("a", "A", kind="connection", connection_type="nope")), "no connection type 'nope'"),
        (sound(Field("a", "A", validation="(", validation_message="x")), "no regular expression"),
        (sound(Field("a", "A", validation="x", default="y", validation_message="x")), "does not pass"),
        (sound(Field("a", "A", validation="x")), "needs a validation_message"),
        (sound(url=Url(entered=False, template="ssh://{Host}")), "names 'Host', no data field"),
        (sound(url=Url(default="ftp://x", schemes=("https",))), "a scheme that it does not allow"),
        (task(reference="Acme"), "a reference is Name@Major"),
        (Family(tasks=(*task().tasks, *task().tasks)), "the task 'acme@1' is there 2 times"),
        (task(Input("a"), Input("b", aliases=("A",))), "the input 'a' is there 2 times"),
        (task(Input("a", type="connectedService:nope")), "no connection type 'nope'"),
        (task(Input("a", type="connectedService:ssh:Nope")), "has no scheme 'Nope'"),
        (task(Input("a", options=("x",), default="y")), "none of the options"),
    ],
)
def test_each_problem_is_told(family: Family, problem: str) -> None:
    known = {"ssh": ConnectionType("ssh", "SSH", schemes=(Scheme("UsernamePassword", "x"),))}
    assert [text for text in problems_of(family, known) if problem in text], problems_of(family, known)
