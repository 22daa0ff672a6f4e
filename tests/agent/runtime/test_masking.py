"""Masking: the agent's vectors, every spelling, and streams that cut anywhere."""

from __future__ import annotations

import base64
import json
import random
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sluice.runtime.bytes_text import encode
from sluice.runtime.mask_forms import FORMS, backslash_unescaped, json_escaped, spell, uri_escaped
from sluice.runtime.masking import COMMON, Masker, MaskStream

CASES = json.loads((Path(__file__).parents[2] / "conformance" / "agent-masking.json").read_text())["cases"]

NOT_REPLAYABLE = {
    "LegacySecretMaskerTests_Clone": "the vectors don't record which clone an operation belongs to",
    "SecretMaskerTests_Encoder_UriDataEscape_LargeString": "the vectors don't record the value, built in a loop",
    "SecretMaskerTests_RemoveEncodedSecrets": "the vectors don't record the encoders",
}

ENCODERS: dict[str, Callable[[str], Iterable[str]]] = {
    'x => x.Replace("-", "_")': lambda value: [value.replace("-", "_")],
    'x => x.Replace("-", " ")': lambda value: [value.replace("-", " ")],
    "ValueEncoders.JsonStringEscape": json_escaped,
    "ValueEncoders.BackslashEscape": backslash_unescaped,
    "ValueEncoders.UriDataEscape": uri_escaped,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_the_agent_s_vectors(case: dict[str, Any]) -> None:
    """`remove_short` is the setter of `minimum`; a regular expression is added as the literal text that it is here."""
    if case["name"] in NOT_REPLAYABLE:
        pytest.skip(NOT_REPLAYABLE[case["name"]])
    encoders = [ENCODERS[argument[0]] for kind, *argument in case["ops"] if kind == "add_encoder"]
    masker = Masker(minimum=0, forms=(*FORMS, *encoders))
    for kind, *arguments in case["ops"]:
        if kind in {"add_value", "add_regex"}:
            assert kind == "add_value" or arguments[0].isalnum()
            masker.add(arguments[0])
        elif kind == "min_length":
            masker.minimum = arguments[0]
        elif kind == "expect":
            assert masker.mask_text(arguments[0]) == arguments[1]
        else:
            assert kind in {"add_encoder", "remove_short"}


@pytest.mark.parametrize(
    ("secrets", "text", "masked"),
    [
        (["abc", "cde", "aa"], "abcde", "***"),
        (["abc", "cde", "aa"], "abc-cde", "***-***"),
        (["abc", "cde", "aa"], "abccde", "***"),
        (["abc", "cde", "aa"], "aaa", "***"),
        (["abc", "cde", "aa"], "xaaaax", "x***x"),
        (["1"], "123", "***23"),
        (["hello world"], "hello%20world", "***"),
        (["abc"], "", ""),
        ([], "https://user:pass@example.com", "https://user:***@example.com"),
        ([], "a//b:c@d https://x:y@z", "a//b:***@d https://x:***@z"),
    ],
)
def test_the_documented_vectors(secrets: list[str], text: str, masked: str) -> None:
    assert a_masker(secrets).mask_text(text) == masked


def a_masker(secrets: Iterable[str], minimum: int = 0) -> Masker:
    masker = Masker(minimum=minimum)
    for secret in secrets:
        masker.add(secret)
    return masker


def naive(text: bytes, patterns: Iterable[bytes]) -> bytes:
    """Marks every byte of every occurrence; touching ones become one mask."""
    marks = [False] * len(text)
    for pattern in patterns:
        start = text.find(pattern)
        while start >= 0:
            marks[start : start + len(pattern)] = [True] * len(pattern)
            start = text.find(pattern, start + 1)
    parts = [b"***" if mark else text[i : i + 1] for i, mark in enumerate(marks) if not (mark and i and marks[i - 1])]
    return b"".join(parts)


def streamed(stream: MaskStream, text: bytes, cuts: Iterable[int]) -> bytes:
    written, position = b"", 0
    for cut in sorted(cuts):
        written += stream.feed(text[position:cut])
        position = cut
    return written + stream.feed(text[position:]) + stream.flush()


small = st.text(alphabet="ab", min_size=1, max_size=5)


@pytest.mark.parametrize("many", [10_000, 0])
@given(st.lists(small, min_size=1, max_size=5), st.binary(max_size=0) | st.from_regex(rb"[abc]{0,40}", fullmatch=True))
@example(["ab", "bab"], b"abab")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ranges_equal_a_naive_search(
    monkeypatch: pytest.MonkeyPatch, many: int, secrets: list[str], text: bytes
) -> None:
    """With few patterns and with many, which are searched in another way."""
    monkeypatch.setattr("sluice.runtime.masking._MANY", many)
    masker = Masker(minimum=0, forms=())
    for secret in secrets:
        masker.add(secret)
    assert masker.mask(text) == naive(text, [secret.encode() for secret in secrets])


fragments = st.sampled_from([b"a", b"b", b"c", b"\n", b"//", b"/", b":", b"@", b"\xff", b"%41", b"pw", b"//u:pw@h"])


@pytest.mark.parametrize("many", [10_000, 0])
@given(
    st.lists(st.text(alphabet="abpw@/:\n", min_size=1, max_size=6), max_size=4),
    st.lists(fragments, max_size=30).map(b"".join),
    st.data(),
)
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_stream_equals_the_whole_at_any_cuts(
    monkeypatch: pytest.MonkeyPatch, many: int, secrets: list[str], text: bytes, data: st.DataObject
) -> None:
    monkeypatch.setattr("sluice.runtime.masking._MANY", many)
    masker = a_masker(secrets)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=len(text)))
    assert streamed(masker.stream(), text, cuts) == masker.mask(text)


def test_a_secret_cut_at_every_byte_in_every_spelling() -> None:
    secret = 'pa"ss w\\ord/+é-0123456789'
    masker = a_masker([secret], 3)
    for spelling in dict.fromkeys(spell(secret, FORMS)):
        text = b"\xfe before " + encode(spelling) + b" after\n"
        for cut in range(len(text) + 1):
            assert streamed(masker.stream(), text, [cut]) == b"\xfe before *** after\n", spelling


def test_a_secret_across_a_64_kib_border() -> None:
    masker = a_masker(["hunter2hunter2"], 3)
    text = b"x" * 65530 + b"hunter2hunter2" + b"y" * 10
    assert streamed(masker.stream(), text, [65536]) == b"x" * 65530 + b"***" + b"y" * 10


def test_a_stream_holds_back_only_what_may_be_secret() -> None:
    stream = a_masker(["secret"], 3).stream()
    assert stream.feed(b"plain text\n") == b"plain text\n"
    assert not stream.holding
    assert stream.feed(b"a sec") == b"a "
    assert stream.holding
    assert stream.feed(b"ond\n") == b"second\n"


def test_a_secret_learnt_in_mid_stream_counts_from_then_on() -> None:
    masker = a_masker(["first"], 3)
    stream = masker.stream()
    assert stream.feed(b"second first\n") == b"second ***\n"
    masker.add("second")
    assert stream.feed(b"second first\n") == b"*** ***\n"


def test_base64_is_masked_at_every_alignment() -> None:
    secret = "correct-horse-battery"
    masker = a_masker([secret], 3)
    for before in range(4):
        for after in range(4):
            text = base64.b64encode(b"x" * before + secret.encode() + b"y" * after)
            masked = masker.mask(text)
            assert b"***" in masked
            # No three bytes of the secret can be read from what is left.
            assert len(masked.replace(b"***", b"")) <= 4 * ((before + 2) // 3 + (after + 2) // 3 + 1)
    wrapped = base64.encodebytes((secret * 9).encode())
    assert a_masker([secret * 9], 3).mask(wrapped).replace(b"***", b"").strip() == b""


@pytest.mark.parametrize("secret", ["it's; rm -rf", "$HOME/`x`", 'say "hi"', "a\tb\\c", "semi;colon", "tab\there"])
def test_what_bash_prints_of_a_secret_is_masked(secret: str) -> None:
    script = """set -x; x=$S; : "$S"; set +x; printf '%q\\n' "$S"; printf '%s\\n' "${S@Q}" """
    done = subprocess.run(["bash", "-c", script], env={"S": secret}, capture_output=True, check=True)
    masker = a_masker([secret], 3)
    for line in (done.stdout + done.stderr).splitlines():
        if b"set +x" not in line:
            assert b"***" in masker.mask(line), line


def test_other_spellings_are_masked() -> None:
    secret = "pässword&/=?"
    masker = a_masker([secret], 3)
    for text in (
        json.dumps({"k": secret}),
        json.dumps({"k": secret}, ensure_ascii=False),
        quote(secret, safe=""),
        secret.encode().hex(),
        secret.encode().hex().upper(),
        shlex.quote(secret),
    ):
        assert "***" in masker.mask_text(text), text


KEY = """-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED

MIIEpAIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu
aXJzdExpbmVPZktleU1hdGVyaWFsMDEyMzQ1Ng
-----END RSA PRIVATE KEY-----
"""


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", ["", "    "])
def test_a_key_is_masked_line_by_line(ending: str, indent: str) -> None:
    masker = a_masker([KEY], 3)
    printed = ending.join(indent + line for line in KEY.splitlines())
    lines = [masker.mask_text(line + ending).strip() for line in printed.split(ending)]
    assert lines == [
        "-----BEGIN RSA PRIVATE KEY-----",
        "***",
        "",
        "***",
        "***",
        "-----END RSA PRIVATE KEY-----",
    ]


def test_texts_in_a_json_secret_are_masked_alone() -> None:
    secret = json.dumps({"type": "x", "private_key": KEY, "nested": [{"client": "someone@project.example"}]}, indent=2)
    masker = a_masker([secret], 3)
    assert masker.mask_text("client is someone@project.example.") == "client is ***."
    assert masker.mask_text("line MIIEpAIBAAKCAQEA1c7+9z5Pad7OejecsQ0bu") == "line ***"
    assert masker.mask_text("{\n}\n[]") == "{\n}\n[]"


@pytest.mark.parametrize("value", ["1", "ab", "true", "False", "none"])
def test_short_and_common_secrets_are_named_and_not_masked(value: str) -> None:
    masker = Masker()
    assert not masker.add(value, "MY_TOKEN")
    assert masker.unmasked == ("MY_TOKEN",)
    assert masker.mask_text(f"a {value} b") == f"a {value} b"


def test_empty_secrets_are_no_secrets() -> None:
    masker = Masker()
    assert masker.add("", "A")
    assert masker.add(" \n\t", "B")
    assert masker.unmasked == ()
    assert masker.mask(b"a b\n") == b"a b\n"


def test_a_normal_log_stays_as_it_is() -> None:
    random.seed(7)
    words = [
        "the",
        "build",
        "of",
        "module",
        "took",
        "ms",
        "and",
        "wrote",
        "files",
        "to",
        "disk",
        "error",
        "warning",
        "none",
        "true",
        "200",
        "OK",
        "GET",
        "index",
    ]
    secrets = ["".join(random.choices("abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789", k=16)) for _ in range(50)]
    masker = a_masker([*secrets, *COMMON, "1", "ok"], 3)
    log = "\n".join(" ".join(random.choices(words, k=12)) for _ in range(5000))
    assert masker.mask_text(log) == log


@given(st.text(max_size=40))
def test_every_value_can_be_added(value: str) -> None:
    masker = Masker()
    if masker.add(value) and value.strip():
        assert masker.mask_text(f"\x00{value}\x00") == "\x00***\x00" or value != value.strip()


def test_hostile_text_takes_bounded_time() -> None:
    masker = a_masker(["a" * 30 + "b", "a" * 20], 3)
    assert masker.mask(b"//" + b"a" * 200_000).startswith(b"//***")
    assert masker.mask(b"//u:" + b"%" * 200_000) == b"//u:" + b"%" * 200_000
    assert masker.mask(b"[" * 100_000) == b"[" * 100_000
    masker.add("[" * 100_000)


@pytest.mark.parametrize("value", ["half \ud800 pair", "bytes \udcff\udcfe here", "\ud83d\ude00 two halves"])
def test_text_that_is_no_utf_8_is_masked_too(value: str) -> None:
    masker = a_masker([value], 3)
    assert masker.mask_text(f"a {value} b") == "a *** b"


def test_a_huge_secret_is_one_mask_and_bounds_what_is_held_back() -> None:
    secret = "".join(random.Random(3).choices("abcdefghij", k=50_001))
    masker = a_masker([secret], 3)
    assert masker.mask_text(f"x {secret} y") == "x *** y"
    text = f"x {secret} y".encode()
    assert streamed(masker.stream(), text, range(0, len(text), 777)) == b"x *** y"
    stream = masker.stream()
    stream.feed(secret[:20_000].encode())
    assert stream.feed(b"!").endswith(b"!")


def test_a_repetitive_secret_takes_bounded_time() -> None:
    masker = a_masker(["a" * 1_000_000 + "b"], 3)
    stream = masker.stream()
    for _ in range(20):
        stream.feed((b"a" * 4000 + b"c") * 5)
    assert masker.mask_text("a" * 4000) == "a" * 4000


def test_secrets_that_come_one_by_one_between_lines_take_bounded_time() -> None:
    masker = Masker()
    stream = masker.stream()
    begin = time.process_time()
    for number in range(1500):
        masker.add(f"Sup3r-{number:05}-S3cret!")
        assert stream.feed(f"a Sup3r-{number:05}-S3cret! Sup3r-{number // 2:05}-S3cret!\n".encode()) == b"a *** ***\n"
    assert time.process_time() - begin < 4
    assert masker.mask(b"Sup3r-00000-S3cret!Sup3r-01499-S3cret!") == b"***"


@given(
    st.lists(st.text("ab", min_size=3, max_size=8), min_size=1, max_size=30),
    st.text("ab ", max_size=60),
    st.integers(1, 9),
)
def test_secrets_one_by_one_mask_as_all_at_once(secrets: list[str], text: str, size: int) -> None:
    at_once = a_masker(secrets, 3)
    masker = Masker()
    for secret in secrets:
        masker.add(secret)
        masker.mask(b"x")
    raw = text.encode()
    assert masker.mask(raw) == at_once.mask(raw)
    stream = masker.stream()
    pieces = [stream.feed(raw[start : start + size]) for start in range(0, len(raw), size)]
    assert b"".join((*pieces, stream.flush())) == at_once.mask(raw)
    for _ in range(300):
        masker.mask(b"x")
    assert len(masker.automaton().tiers) == 1
    assert masker.mask(raw) == at_once.mask(raw)
