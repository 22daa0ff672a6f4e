"""Sealing: only the very record, version and key open what was sealed."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.connections.sealing import Identity, Sealed, Sealer
from sluice.errors import SealError


class _Keys:
    """A key provider in memory."""

    def __init__(self) -> None:
        self.keys = {"one": secrets.token_bytes(32)}
        self.now = "one"

    def current(self) -> tuple[str, bytes]:
        return self.now, self.keys[self.now]

    def key(self, key_id: str) -> bytes:
        if key_id not in self.keys:
            raise SealError("no such key")
        return self.keys[key_id]

    def rotate(self) -> tuple[str, bytes]:
        self.now = f"key {len(self.keys) + 1}"
        self.keys[self.now] = secrets.token_bytes(32)
        return self.current()

    def forget(self, key_id: str) -> None:
        del self.keys[key_id]


_KEYS = _Keys()
_SEALER = Sealer(lambda: _KEYS)
_IDENTITY = Identity("connection", "0d1f0a3e", 3, b"public")


@given(st.binary(max_size=300))
def test_what_was_sealed_opens(text: bytes) -> None:
    assert _SEALER.open(_IDENTITY, _SEALER.seal(_IDENTITY, text)) == text


@given(
    st.builds(
        Identity,
        st.sampled_from(["connection", "blob", "connectio"]),
        st.sampled_from(["0d1f0a3e", "0d1f0a3f", "n0d1f0a3e", ""]),
        st.integers(0, 40),
        st.sampled_from([b"public", b"Public", b""]),
    )
)
def test_nothing_opens_for_another_identity_or_version(identity: Identity) -> None:
    sealed = _SEALER.seal(_IDENTITY, b"hunter2")
    if identity == _IDENTITY:
        assert _SEALER.open(identity, sealed) == b"hunter2"
        return
    with pytest.raises(SealError):
        _SEALER.open(identity, sealed)


@given(st.data())
def test_a_flipped_bit_anywhere_is_refused(data: st.DataObject) -> None:
    sealed = _SEALER.seal(_IDENTITY, b"hunter2")
    part = data.draw(st.sampled_from(["wrapped_key", "sealed"]))
    raw = bytearray(getattr(sealed, part))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    changed: Any = {part: bytes(raw)}
    with pytest.raises(SealError):
        _SEALER.open(_IDENTITY, replace(sealed, **changed))


@given(st.data())
def test_a_cut_or_lengthened_text_is_refused(data: st.DataObject) -> None:
    sealed = _SEALER.seal(_IDENTITY, b"hunter2")
    part = data.draw(st.sampled_from(["wrapped_key", "sealed"]))
    raw = getattr(sealed, part)
    changed: Any = {part: data.draw(st.sampled_from([raw + b"\0", raw[:-1], raw[1:], raw[:13], b""]))}
    with pytest.raises(SealError):
        _SEALER.open(_IDENTITY, replace(sealed, **changed))


def test_halves_of_two_sealings_do_not_go_together() -> None:
    one, other = _SEALER.seal(_IDENTITY, b"one"), _SEALER.seal(_IDENTITY, b"other")
    with pytest.raises(SealError):
        _SEALER.open(_IDENTITY, Sealed(one.key_id, one.wrapped_key, other.sealed))


def test_two_sealings_of_one_text_share_nothing() -> None:
    one, other = _SEALER.seal(_IDENTITY, b"x" * 50), _SEALER.seal(_IDENTITY, b"x" * 50)
    assert one.sealed != other.sealed
    assert one.wrapped_key != other.wrapped_key
    assert b"x" * 8 not in one.sealed


def test_rewrapping_changes_the_key_and_not_the_text() -> None:
    keys = _Keys()
    sealer = Sealer(lambda: keys)
    before = sealer.seal(_IDENTITY, b"hunter2")
    after = sealer.rewrap(before, keys.rotate(), "it")
    keys.forget("one")
    assert after.sealed == before.sealed
    assert sealer.open(_IDENTITY, after) == b"hunter2"
    with pytest.raises(SealError):
        sealer.open(_IDENTITY, before)


def test_rewrapping_refuses_what_does_not_open_and_names_it() -> None:
    keys = _Keys()
    sealer = Sealer(lambda: keys)
    before = sealer.seal(_IDENTITY, b"hunter2")
    with pytest.raises(SealError, match="of job progress 7"):
        sealer.rewrap(replace(before, sealed=before.sealed + b"x"), keys.rotate(), "job progress 7")


def test_blobs_and_connections_of_one_id_are_kept_apart() -> None:
    sealed = _SEALER.seal_blob("0d1f0a3e", 3, b"progress")
    assert _SEALER.open_blob("0d1f0a3e", 3, sealed) == b"progress"
    for identity, version in (("0d1f0a3e", 2), ("0d1f0a3f", 3)):
        with pytest.raises(SealError):
            _SEALER.open_blob(identity, version, sealed)
    with pytest.raises(SealError):
        _SEALER.open(Identity("connection", "0d1f0a3e", 3), sealed)


def test_no_error_repeats_key_or_text() -> None:
    sealed = _SEALER.seal(_IDENTITY, b"hunter2")
    with pytest.raises(SealError) as caught:
        _SEALER.open(replace(_IDENTITY, version=4), sealed)
    assert "hunter2" not in str(caught.value)
    assert "0d1f0a3e" in str(caught.value)


def test_a_provider_that_gives_no_proper_key_is_named_as_the_fault() -> None:
    keys = _Keys()
    keys.keys["one"] = b"short"
    with pytest.raises(SealError, match="32 bytes"):
        Sealer(lambda: keys).seal(_IDENTITY, b"x")
