from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.runs.progress import ProgressEncoder, decode_progress, decode_secrets, encode_progress, encode_secrets
from sluice.runtime.request import JobProgress, JobVariable, Result
from sluice.secret import Secret

TEXTS = st.text(max_size=20)
VALUES = TEXTS | TEXTS.map(Secret)
VARIABLES = st.builds(JobVariable, name=TEXTS, value=VALUES, readonly=st.booleans(), preserve_case=st.booleans())


@given(
    st.builds(
        JobProgress,
        next_step=st.integers(0, 100),
        variables=st.lists(VARIABLES, max_size=5).map(tuple),
        outputs=st.dictionaries(TEXTS, VALUES, max_size=5),
        prepended_paths=st.lists(TEXTS, max_size=3).map(tuple),
        result=st.sampled_from(Result),
        masked=st.lists(st.tuples(TEXTS, TEXTS.map(Secret)), max_size=3).map(tuple),
    )
)
def test_progress_comes_back_as_it_was(progress: JobProgress) -> None:
    assert decode_progress(encode_progress(progress)) == progress


@given(st.lists(st.lists(VARIABLES, max_size=4, unique_by=lambda one: one.name), min_size=2, max_size=4))
def test_what_is_known_of_a_step_before_does_not_show_after_the_next(steps: list[list[JobVariable]]) -> None:
    encoder = ProgressEncoder()
    kept: dict[str, JobVariable] = {}
    for number, changed in enumerate(steps):
        kept |= {one.name: one for one in changed}
        progress = JobProgress(next_step=number, variables=tuple(kept.values()))
        assert encoder.encode(progress) == encode_progress(progress)
        assert decode_progress(encoder.encode(progress)) == progress


def test_a_secret_is_not_kept_in_the_clear() -> None:
    encoder = ProgressEncoder()
    encoder.encode(JobProgress(variables=(JobVariable(name="password", value=Secret("hunter2")),)))
    assert "hunter2" not in str(vars(encoder))


@given(st.dictionaries(TEXTS, TEXTS.map(Secret), max_size=5))
def test_secret_outputs_come_back_as_they_were(secrets: dict[str, Secret]) -> None:
    assert decode_secrets(encode_secrets(secrets)) == secrets


def test_bytes_that_are_no_text_survive() -> None:
    odd = JobProgress(variables=(JobVariable(name="odd", value="a\udcffb"),))
    assert decode_progress(encode_progress(odd)) == odd
