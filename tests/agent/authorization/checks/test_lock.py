"""Whose turn it is to hold an exclusive lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sluice.authorization.checks.lock import Claim, Turn, abandoned, superseded, turn


def claim(run: int, **changes: object) -> Claim:
    made = Claim(
        suite_id=f"s{run}",
        run_id=run,
        pipeline_id=1,
        held=False,
        ready=True,
        driven=True,
        since=float(run),
        latest=False,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the names are the fields'


def test_a_free_lock_is_taken_and_a_held_one_waited_for() -> None:
    mine = claim(2)
    assert turn(mine, [[mine]]) is Turn.TAKE
    assert turn(mine, [[mine, claim(1, held=True)]]) is Turn.WAIT


def test_all_locks_are_taken_or_none() -> None:
    mine = claim(2)
    assert turn(mine, [[mine], [mine, claim(1, held=True)]]) is Turn.WAIT


def test_who_wants_a_lock_that_the_stage_holds_does_not_keep_it_from_another_one() -> None:
    north, south = ("endpoint", "north"), ("endpoint", "south")
    older, mine = claim(1, places=frozenset({north, south})), claim(2, places=frozenset({north}))
    assert turn(mine, [[older, mine]]) is Turn.WAIT
    assert turn(mine, [[older, mine]], frozenset({south})) is Turn.TAKE


def test_sequential_is_the_oldest_first() -> None:
    older, mine = claim(1), claim(2)
    assert turn(mine, [[older, mine]]) is Turn.WAIT
    assert turn(older, [[older, mine]]) is Turn.TAKE


def test_run_latest_gives_way_to_a_newer_run_of_its_pipeline_only() -> None:
    mine = claim(1, latest=True)
    assert turn(mine, [[mine, claim(2, latest=True)]]) is Turn.SUPERSEDED
    assert turn(mine, [[mine, claim(2, latest=True, pipeline_id=2)]]) is Turn.TAKE
    newer = claim(2, latest=True)
    assert superseded(newer, [[mine, newer, claim(0, held=True, latest=True)]]) == {"s1"}


def test_nobody_waits_for_who_could_not_start() -> None:
    mine = claim(3)
    assert turn(mine, [[claim(1, ready=False), claim(2, driven=False), mine]]) is Turn.TAKE
    assert turn(claim(3, driven=False), [[]]) is Turn.WAIT


def test_the_lock_of_a_run_that_died_is_free() -> None:
    mine, dead = claim(2), claim(1, held=True, driven=False)
    assert turn(mine, [[dead, mine]]) is Turn.TAKE
    assert abandoned(mine, [[dead, mine]]) == {"s1"}


claims = st.lists(
    st.builds(
        claim,
        st.integers(1, 9),
        pipeline_id=st.integers(1, 2),
        ready=st.booleans(),
        driven=st.booleans(),
        latest=st.booleans(),
        since=st.integers(0, 5).map(float),
    ),
    unique_by=lambda one: one.run_id,
    min_size=1,
)


@given(claims)
def test_of_those_that_wait_for_a_free_lock_at_most_one_gets_it_and_one_does_when_one_could(
    queue: Sequence[Claim],
) -> None:
    turns = {one.run_id: turn(one, [queue]) for one in queue}
    taking = [run for run, found in turns.items() if found is Turn.TAKE]
    assert len(taking) <= 1
    could = [one for one in queue if one.ready and one.driven and turns[one.run_id] is not Turn.SUPERSEDED]
    assert bool(taking) or not could
