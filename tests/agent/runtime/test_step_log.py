"""A step's log: lines put together, commands found, secrets masked, whatever the framing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.runtime.masking import Masker
from sluice.runtime.step_log import MAX_LINE, StepLog


class Told:
    """A log with everything that it told."""

    def __init__(self, *secrets: str) -> None:
        self.masker = Masker()
        for secret in secrets:
            self.masker.add(secret)
        self.pieces: list[tuple[bytes, bool]] = []
        self.commands: list[str] = []
        self.log = StepLog(self.masker, lambda text, unfinished: self.pieces.append((text, unfinished)))

    @property
    def text(self) -> bytes:
        return b"".join(text for text, _ in self.pieces)

    def command(self, line: str) -> bool:
        self.commands.append(line)
        self.log.write(f"ran {len(self.commands)}")
        return "legal" in line


fragments = st.sampled_from(
    [b"a", b"secret", b"sec", b"ret", b"\n", b"\r", b"\r\n", b"##vso[x.y]", b"##vso[legal]", b"##", b"\xff", b" "]
)


@given(st.lists(fragments, max_size=25).map(b"".join), st.data())
@settings(max_examples=300)
def test_framing_changes_nothing(text: bytes, data: st.DataObject) -> None:
    whole, pieces = Told("secret"), Told("secret")
    stream = whole.log.stream(whole.command)
    stream.feed(text)
    stream.close()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=20)))
    stream = pieces.log.stream(pieces.command)
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        stream.feed(text[start:end])
    stream.close()
    assert pieces.text == whole.text
    assert pieces.commands == whole.commands
    assert b"secret" not in whole.text


@given(st.lists(fragments, max_size=25), st.lists(st.booleans(), max_size=25))
def test_showing_unfinished_lines_changes_no_text(parts: list[bytes], idle: list[bool]) -> None:
    plain, shown = Told("secret"), Told("secret")
    first, second = plain.log.stream(), shown.log.stream()
    for index, part in enumerate(parts):
        first.feed(part)
        second.feed(part)
        if index < len(idle) and idle[index]:
            second.idle()
    first.close()
    second.close()
    assert shown.text == plain.text
    assert all(text.endswith(b"\n") for text, unfinished in shown.pieces if not unfinished)


def test_text_before_a_command_is_told_before_it_runs() -> None:
    told = Told()
    stream = told.log.stream(told.command)
    stream.feed(b"one\n##vso[legal]\ntwo\n##vso[other]\nthree")
    stream.close()
    assert told.text == b"one\nran 1\ntwo\nran 2\n##vso[other]\nthree\n"


def test_a_stream_without_commands_has_none_in_any_framing() -> None:
    told = Told()
    stream = told.log.stream()
    for piece in (b"##v", b"so[legal]x\r", b"\x1b[1m##vso[legal]\x1b[0m\n", b"##VSO[legal]"):
        stream.feed(piece)
    stream.close()
    assert told.commands == []
    assert told.text == b"##vso[legal]x\n\x1b[1m##vso[legal]\x1b[0m\n##VSO[legal]\n"


def test_a_line_that_may_become_a_command_is_not_shown_unfinished() -> None:
    told = Told()
    stream = told.log.stream(told.command)
    for piece in (b"##v", b"so[legal"):
        stream.feed(piece)
        stream.idle()
        assert told.text == b""
    stream.feed(b"]\n")
    assert told.commands == ["##vso[legal]"]


def test_an_unfinished_line_is_ended_when_another_source_speaks() -> None:
    told = Told()
    stream = told.log.stream()
    stream.feed(b"working")
    stream.idle()
    told.log.write("from elsewhere")
    stream.feed(b" done\n")
    assert told.text == b"working\nfrom elsewhere\n done\n"


def test_the_beginning_of_a_secret_is_never_shown() -> None:
    told = Told("secret")
    stream = told.log.stream()
    stream.feed(b"it is sec")
    stream.idle()
    assert told.pieces == [(b"it is ", True)]
    stream.feed(b"ret\n")
    stream.close()
    assert told.text == b"it is ***\n"


def test_a_secret_of_several_lines_is_one_mask_where_it_is_printed_whole() -> None:
    told = Told("ab\ncd")
    stream = told.log.stream()
    stream.feed(b"x ab\n")
    stream.feed(b"cd y\n")
    stream.close()
    assert told.text == b"x *** y\n"


def test_an_endless_line_takes_bounded_memory() -> None:
    told = Told("secret")
    stream = told.log.stream(told.command)
    for _ in range(40):
        stream.feed(b"x" * 100_000)
    assert len(told.text) >= 4_000_000 - MAX_LINE
    stream.feed(b"secret")
    stream.close()
    assert told.text == b"x" * 4_000_000 + b"***\n"


def test_an_endless_command_is_text_in_the_end() -> None:
    told = Told()
    stream = told.log.stream(told.command)
    stream.feed(b"##vso[")
    for _ in range(90):
        stream.feed(b"x" * 100_000)
    stream.close()
    assert told.commands == []
    assert len(told.text) == 9_000_000 + 7
