"""Secrets that a screen would put together again from what the mask does not recognise."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.cli.view.controls import coloured, plain
from sluice.runtime.masking import Masker
from sluice.runtime.step_log import StepLog
from sluice.runtime.visible import seen, uncovered
from sluice.secret import Secret

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs

SECRET = "Sup3rS3cretValue!42"
BETWEEN = (
    "\0",
    "\x01",
    "\x08",
    "\x7f",
    "\x1b[0m",
    "\x1b[1;31m",
    "\x1b[K",
    "\x1b]0;t\x07",
    "\x1b(B",
    "\u202e",
    "\x9b0m",
)


def _logged(*chunks: bytes, secret: str = SECRET) -> bytes:
    masker = Masker()
    masker.add(secret)
    told: list[bytes] = []
    stream = StepLog(masker, lambda text, _: told.append(text)).stream(lambda _: False)
    for chunk in chunks:
        stream.feed(chunk)
    stream.close()
    return b"".join(told)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32-le"])
@pytest.mark.parametrize("secret", [SECRET, "Pässwörter-überall", "пароль-из-букв"])
def test_utf_16_output_shows_no_secret(encoding: str, secret: str) -> None:
    if encoding == "utf-32-le" and not secret.isascii():
        pytest.skip("no shell prints that")
    text = f"before {secret} after\n".encode(encoding)
    for chunks in ([text], [text[:15], text[15:]], [text[index : index + 1] for index in range(len(text))]):
        log = _logged(*chunks, secret=secret)
        assert b"***" in log
        assert secret not in plain(log)
        assert secret.encode(encoding) not in log
        assert secret.encode(encoding).replace(b"\0", b"") not in log


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("every", [1, 7])
def test_no_control_in_the_middle_of_a_secret_lets_it_through(between: str, every: int) -> None:
    pieces = [SECRET[index : index + every] for index in range(0, len(SECRET), every)]
    text = f"\x1b[32mok\x1b[0m\n\x1b[32mbefore {between.join(pieces)} after\n".encode()
    log = _logged(text)
    assert SECRET not in plain(log)
    assert SECRET not in coloured(log).replace("\x1b[0m", "")
    assert b"***" in log
    assert log.startswith(b"\x1b[32mok\x1b[0m\n")


def test_colours_around_a_secret_stay() -> None:
    assert _logged(f"\x1b[32ma {SECRET} b\x1b[0m\n".encode()) == b"\x1b[32ma *** b\x1b[0m\n"


def test_a_real_grep_that_highlights_within_a_secret_shows_nothing(jobs: Jobs) -> None:
    script = jobs.script(
        "echo 'password=$(token)' | grep --color=always S3cret; printf '%s' '$(token)' | iconv -t UTF-16"
    )
    ran = jobs.run(script, variables=jobs.variables(token=Secret(SECRET)))
    assert "Sup3r" not in plain(ran.log().partition("[command]")[2].encode("utf-8", "surrogateescape"))
    assert "password=***" in ran.log()


@given(
    st.lists(
        st.sampled_from([*BETWEEN, SECRET, SECRET[:4], SECRET[4:], "é", "\n", " ", "\x1b", "\u2066", "[", "m", "]"])
    )
)
def test_what_a_screen_shows_of_whole_lines_holds_no_secret(pieces: list[str]) -> None:
    assert SECRET not in plain(_logged("".join(pieces).encode() + b"\n"))


@given(st.binary(max_size=200))
def test_text_without_secrets_stays_as_it_is(text: bytes) -> None:
    masker = Masker()
    masker.add("never-in-there-0815")
    assert uncovered(text, masker) == text
    assert seen(seen(text)) == seen(seen(seen(text)))


@pytest.mark.parametrize(
    "text", [b"\x1b]" * 50_000, b"\x1b[" + b"1;" * 50_000, b"\xc2\x9d" * 50_000, b"\x1b" * 100_000]
)
def test_sequences_without_an_end_take_no_longer(text: bytes) -> None:
    masker = Masker()
    masker.add(SECRET)
    begin = time.process_time()
    uncovered(text, masker)
    assert time.process_time() - begin < 2
