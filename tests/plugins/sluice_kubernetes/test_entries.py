from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.plugin import Connection, Secret, TaskFailedError
from sluice_kubernetes._entries import MOST_BYTES, Entries, config_map, docker_secret, secret_object


def entries(folder: Path, arguments: str) -> Entries:
    return Entries(where="task", folder=folder).read(arguments)


def test_entries_come_from_literals_files_folders_and_variables(tmp_path: Path) -> None:
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "a.txt").write_text("a")
    (tmp_path / "many" / "inner").mkdir()
    (tmp_path / "one.txt").write_text("one")
    (tmp_path / "app.env").write_text("# words\n\nA=1\n B =two words \n")
    found = entries(
        tmp_path,
        "--from-literal=k=v=w --from-literal e= --from-file=many --from-file=key=one.txt --from-env-file=app.env --type x/y",
    )
    assert found.type == "x/y"
    assert found.values == {
        "k": b"v=w",
        "e": b"",
        "a.txt": b"a",
        "key": b"one",
        "A": b"1",
        "B": b"two words ",
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("--from-literal=canary-4711", "takes KEY=VALUE"),
        ("--from-literal=a/b=canary-4711", "is no key"),
        ("--from-literal=a=canary-4711 --from-literal=a=canary-4711", "is there twice"),
        ("--from-file=gone", "cannot be read"),
        ("--append-hash", "'--append-hash' is not supported"),
        ("--from-literal=a=canary 4711", "one of the arguments is not supported"),
        ("--from-env-file=bad.env", "line 2 of bad.env is no KEY=VALUE"),
        ("--from-file=big", "more than 1 MiB"),
    ],
)
def test_what_is_wrong_is_told_without_a_value(tmp_path: Path, arguments: str, told: str) -> None:
    (tmp_path / "bad.env").write_text("A=1\ncanary-4711\n")
    (tmp_path / "big").write_bytes(b"x" * (MOST_BYTES + 1))
    with pytest.raises(TaskFailedError, match=told) as refusal:
        entries(tmp_path, arguments)
    assert "4711" not in f"{refusal.value} {refusal.value.why}"


@given(st.dictionaries(st.from_regex(r"[a-zA-Z0-9._-]{1,10}", fullmatch=True), st.binary(max_size=20), max_size=4))
def test_every_value_is_in_the_object(values: dict[str, bytes]) -> None:
    given_entries = Entries(where="task", folder=Path(), values=values)
    data = secret_object("s", given_entries)["data"]
    assert {key: base64.b64decode(value) for key, value in data.items()} == values
    described = config_map("c", given_entries)
    texts = {key: value.encode() for key, value in described["data"].items()}
    binary = {key: base64.b64decode(value) for key, value in described.get("binaryData", {}).items()}
    assert texts | binary == values


def test_a_pull_secret_needs_a_registry_and_a_password() -> None:
    connection = Connection(
        id="r", name="r", type="dockerregistry", parameters={"username": "me", "password": Secret("pw-4711")}
    )
    with pytest.raises(TaskFailedError, match="no registry"):
        docker_secret("s", connection)
