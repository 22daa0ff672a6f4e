"""The hash chain: whatever is done to a log, somebody notices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sluice.storage.chain import GENESIS, Entry, Head, Link, find_breach, link_hash


def _chain(count: int, actor: str = "me") -> list[Link]:
    links: list[Link] = []
    previous = GENESIS
    for number in range(1, count + 1):
        entry = Entry(
            sequence=number,
            at=float(number),
            actor=actor,
            action="A",
            category="Modify",
            project_id=1,
            resource_id="r",
            resource_version=number,
            details="{}",
        )
        links.append(Link(entry, previous, link_hash(entry, previous)))
        previous = links[-1].hash
    return links


def test_an_untouched_chain_is_whole() -> None:
    links = _chain(5)
    assert find_breach(links) == (None, Head(5, links[-1].hash))
    assert find_breach([]) == (None, Head())


@given(st.integers(2, 8), st.data())
def test_removing_an_entry_is_found(count: int, data: st.DataObject) -> None:
    links = _chain(count)
    kept = Head(count, links[-1].hash)
    del links[data.draw(st.integers(0, count - 1))]
    assert find_breach(links, kept)[0] is not None


@given(st.integers(2, 8), st.data())
def test_swapping_entries_is_found(count: int, data: st.DataObject) -> None:
    links = _chain(count)
    one, other = data.draw(st.lists(st.integers(0, count - 1), min_size=2, max_size=2, unique=True))
    links[one], links[other] = links[other], links[one]
    assert find_breach(links)[0] is not None


@given(
    st.sampled_from(["sequence", "at", "actor", "action", "category", "project_id", "resource_id", "details"]),
    st.integers(0, 4),
)
def test_editing_any_column_is_found(column: str, index: int) -> None:
    links = _chain(5)
    value = getattr(links[index].entry, column)
    edit: dict[str, Any] = {column: value + 1 if isinstance(value, int | float) else f"{value} "}
    links[index] = replace(links[index], entry=replace(links[index].entry, **edit))
    assert find_breach(links)[0] is not None


def test_editing_an_entry_and_its_hash_is_found_at_the_next_one() -> None:
    links = _chain(5)
    entry = replace(links[2].entry, actor="somebody else")
    links[2] = Link(entry, links[2].previous, link_hash(entry, links[2].previous))
    breach, head = find_breach(links)
    assert breach is not None
    assert (breach.sequence, head.sequence) == (4, 3)


def test_a_log_that_was_written_anew_is_found_by_a_head_kept_elsewhere() -> None:
    kept = Head(3, _chain(5)[2].hash)
    assert find_breach(_chain(5, actor="somebody else"))[0] is None
    assert find_breach(_chain(5, actor="somebody else"), kept)[0] is not None
    assert find_breach(_chain(5), kept)[0] is None


def test_no_two_entries_share_a_text_by_moving_a_border() -> None:
    one = replace(_chain(1)[0].entry, actor='a","x":"b', action="c")
    other = replace(_chain(1)[0].entry, actor="a", action='b","x":"c')
    assert link_hash(one, GENESIS) != link_hash(other, GENESIS)
