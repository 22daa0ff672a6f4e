"""Policies over container images, evaluated by the real engine in its own process."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doubles.check_runs import evaluation, judged

from sluice.errors import SluiceError
from sluice.hooks.checks import CheckedArtifact, Decision
from sluice_checks._artifacts import full_name
from sluice_checks._policy import _PROCESS, read
from sluice_checks._policy_process import MEMORY
from sluice_checks._types import EVALUATE_ARTIFACT as KIND

DIGEST = "sha256:" + "ab" * 32
OURS = CheckedArtifact(alias="app", image=f"acme.azurecr.io/app@{DIGEST}")
PUBLIC = CheckedArtifact(alias="web", image="nginx:1.29", digest=DIGEST)

REGISTRIES = """
allowlist = {
    "gcr.io/acme",  # a brace in a comment: {
    "acme.azurecr.io",
}

checkregistries[errors] {
    trace(sprintf("allowed: %s", [concat(", ", allowlist)]))
    resourceUri := values[index].image.resourceUri
    registry := fetchRegistry(resourceUri)
    image := fetchImage(resourceUri)
    not allowlist[registry]
    errors := sprintf("%s: source registry not permitted", [image])
}

fetchRegistry(uri) = reg {
    out := regex.find_n("//.*/", uri, 1)
    reg = trim(out[0], "/")
}

fetchImage(uri) = img {
    out := regex.find_n("/.*@", uri, 1)
    img := trim(out[0], "/@")
}
"""


def decided(policy: str, *artifacts: CheckedArtifact) -> Decision:
    return KIND.evaluate(evaluation(KIND, {"policy": textwrap.dedent(policy)}, artifacts=artifacts))


def test_a_policy_of_the_documented_form_decides() -> None:
    assert judged(KIND, {"policy": REGISTRIES}) == ()
    decision = decided(REGISTRIES, OURS, PUBLIC)
    assert decision.outcome == "rejected"
    assert decision.message == "docker.io/library/nginx: source registry not permitted"
    decision = decided(REGISTRIES, OURS)
    assert (decision.outcome, decision.message) == ("approved", "the policy has nothing against 1 container image")


@pytest.mark.parametrize(
    "policy",
    [
        'errors contains "no" if { count(values) > 0 }',
        'check contains errors if { some i; values[i]; errors := "no" }',
        'violations[msg] { values[_]; msg := "no" }',
        'package acme.images\nimport input.values\ncheck[violation] { values[_]; violation := "no" }',
        'package acme.images\nimport rego.v1\ndeny contains "no" if { some one in input.values; one.image }',
        'check[error] { input.values[0]; error := "no" }',
    ],
)
def test_rules_that_name_errors_are_known_by_their_variable_or_name(policy: str) -> None:
    assert judged(KIND, {"policy": policy}) == ()
    decision = decided(policy, OURS)
    assert (decision.outcome, decision.message) == ("rejected", "no")
    assert decided(policy).outcome == "approved"


def test_a_rule_that_only_holds_is_told_by_its_name() -> None:
    assert decided("default deny := false\ndeny { values[0] }", OURS).message == "deny"
    assert decided("default deny := false\ndeny { values[0] }").outcome == "approved"


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("", "would pass everything"),
        ("allow { true }", "would pass everything"),
        ("# check[errors] {\nallow := `\ncheck[errors] {`", "would pass everything"),
        ("x := [1 |\ncheck[errors] ]", "would pass everything"),
        ("package a-b\ncheck[errors] { errors := 1 }", "no dotted name"),
        ("check[errors] {", "this is unclosed"),
        ("check[errors] { errors := nope(1) }", "Function not found: nope"),
        ("check[errors] { errors := http.send({}) }", "a function failed or is not supported"),
        ("errors := 1\nerrors := 2", "rules contradict each other"),
        ("check[errors] { errors := 1 }" + " " * 300_000, "longer than 64 KiB"),
    ],
)
def test_a_policy_that_cannot_refuse_or_be_evaluated_is_refused(policy: str, said: str) -> None:
    (problem,) = judged(KIND, {"policy": policy})
    assert said in problem
    with pytest.raises(SluiceError):
        decided(policy)


def test_rules_that_contradict_each_other_for_an_image_do_not_pass_it() -> None:
    policy = "check[errors] { errors := value }\nvalue := 1 { values[0] }\nvalue := 2 { values[0] }"
    assert judged(KIND, {"policy": policy}) == ()
    with pytest.raises(SluiceError, match="rules contradict each other"):
        decided(policy, OURS)


def test_an_image_without_digest_could_be_any() -> None:
    decision = decided(REGISTRIES, OURS, CheckedArtifact(alias="web", image="nginx:1.29\x1b[2J"))
    assert decision.outcome == "rejected"
    assert decision.message.startswith("which image it is cannot be told without a digest: 'nginx:1.29 [2J'")


def test_a_rule_whose_function_fails_does_not_pass_an_image() -> None:
    policy = "check[errors] { startswith(values[0].image, 5); errors := 1 }"
    assert judged(KIND, {"policy": policy}) == ()
    with pytest.raises(SluiceError, match="a function failed"):
        decided(policy, OURS)


HUNGRY = "numbers.range(0, 3000)"


@pytest.mark.parametrize(
    "policy",
    [
        f"check[errors] {{ some a in {HUNGRY}; some b in {HUNGRY}; some c in {HUNGRY}; a + b + c < 0; errors := a }}",
        "check[errors] { x := numbers.range(0, 1000000000); errors := count(x) }",
    ],
)
def test_a_policy_that_wants_everything_is_ended(policy: str) -> None:
    with pytest.raises(SluiceError, match=r"more time or memory|within 30 seconds|wants too much"):
        decided(policy, OURS)


def test_the_size_of_the_process_that_asks_does_not_count() -> None:
    ballast = b"x" * (600 << 20)
    assert decided('check[errors] { false; errors := "no" }', OURS).outcome == "approved"
    assert len(ballast) > MEMORY


def test_a_policy_sees_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_MASTER_KEY", "k3y-of-all")
    policy = 'check[errors] { errors := sprintf("%v", [opa.runtime()]) }'
    message = decided(policy, OURS).message
    assert "env" in message
    assert "k3y-of-all" not in message


def test_without_the_engine_that_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(_PROCESS)], input="{}", capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == {"error": "there is no Rego engine on this machine: pip install regopy"}


def test_many_errors_are_told_in_short() -> None:
    decision = decided(
        "check[errors] { some i in numbers.range(1, 500); errors := sprintf('%d', [i]) }".replace("'", '"')
    )
    assert decision.message.endswith("; and 495 more")


@pytest.mark.parametrize(
    ("image", "address"),
    [
        ("nginx", "https://docker.io/library/nginx"),
        (f"nginx:1@{DIGEST}", f"https://docker.io/library/nginx@{DIGEST}"),
        ("acme/app:2", "https://docker.io/acme/app:2"),
        (f"localhost:5000/app:2@{DIGEST}", f"https://localhost:5000/app@{DIGEST}"),
        ("acme.azurecr.io/a/b", "https://acme.azurecr.io/a/b"),
    ],
)
def test_images_are_called_by_their_addresses(image: str, address: str) -> None:
    assert full_name(image) == address


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_refused(text: str) -> None:
    with contextlib.suppress(SluiceError):
        assert read(text).rules
