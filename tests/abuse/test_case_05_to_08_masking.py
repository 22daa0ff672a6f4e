"""Cases 5 to 8: a secret in other spellings, in lines, in pieces, and one that cannot be masked."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from sluice.plugin import Secret
from sluice.runtime import mask_forms
from sluice.runtime.request import Result

if TYPE_CHECKING:
    from tests.abuse.conftest import Jobs, Sluice

SECRET = "S3cr3t/With+Odd'Chars&more"


def test_printing_every_spelling_does_not_change_how_a_step_ends(jobs: Jobs) -> None:
    script = """
    for pad in '' x xx; do printf '%s' "$pad$T" | base64; done; printf '%s' "$T" | od -An -tx1 -v | tr -d ' \\n'
    printf '%s' "$T" | rev; printf '%s' "$T" | fold -w1; printf '%s' "$T" | gzip | base64; exit 7
    """
    ran = jobs.run(jobs.script(script, env={"T": "$(t)"}), variables=jobs.variables(t=Secret(SECRET)))
    assert ran.outcome == Result.FAILED
    assert ("error", "Bash exited with code '7'.") in ran.issues()
    assert base64.b64encode(SECRET.encode()).decode() not in ran.log()
    assert SECRET.encode().hex() not in ran.log()


def test_what_is_out_of_scope_is_published() -> None:
    assert mask_forms.__doc__ is not None
    listed = " ".join(mask_forms.__doc__.split())
    assert "Not masked" in listed
    assert all(word in listed for word in ("reversed", "compressed", "encoded twice", "character by character"))


def test_one_text_of_a_json_key_is_masked_and_its_frame_is_not(jobs: Jobs) -> None:
    lines = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nEFAASCBKcwggSjAgEAAoIBAQDJ\n-----END PRIVATE KEY-----\n"
    key = json.dumps({"type": "service_account", "private_key": lines, "client_id": "0815471100000042"})
    script = """
    python3 -c 'import json, os; key = json.loads(os.environ["K"]); print(key["private_key"]); print(key["client_id"])'
    echo '{'; echo '-----BEGIN PRIVATE KEY-----'
    """
    ran = jobs.run(jobs.script(script, env={"K": "$(k)"}), variables=jobs.variables(k=Secret(key)))
    assert ran.outcome == Result.SUCCEEDED
    assert not [line for line in (*lines.splitlines()[1:3], "0815471100000042") if line in ran.log()]
    assert ran.output("A")[-2:] == ["{", "-----BEGIN PRIVATE KEY-----"]


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("printf '%s' \"${T:0:9}\"; printf '%s\\n' \"${T:9}\" >&2", ["***"]),
        ("printf '%s' \"${T:0:9}\"; sleep 0.7; printf '%s' \"${T:9}\"", ["***"]),
        ("for ((i = 0; i < ${#T}; i++)); do printf '%s' \"${T:i:1}\"; done; echo", ["***"]),
        ("printf 'end %s' \"${T:0:9}\"", ["end S3cr3t/Wi"]),
        ("head -c 65531 /dev/zero | tr '\\0' x; printf '%s' \"$T\" >&2", ["x" * 65531 + "***"]),
    ],
)
def test_a_secret_in_pieces_is_whole_to_the_mask_and_nothing_is_lost(jobs: Jobs, script: str, shown: list[str]) -> None:
    ran = jobs.run(
        jobs.step("Bash@3", inputs={"targetType": "inline", "script": f"{script}\n"}, env={"T": "$(t)"}),
        variables=jobs.variables(t=Secret(SECRET)),
    )
    assert ran.output("A") == shown


@pytest.mark.parametrize("value", ["1", "true", " ", "no"])
def test_a_secret_that_cannot_be_masked_is_told_and_leaves_the_log_readable(sluice: Sluice, value: str) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text(
        "steps:\n- checkout: none\n- script: 'echo 11 is true, 1 of no 2'\n"
    )
    (sluice.folder / "value").write_text(value)
    ended = sluice.run("run", "--non-interactive", "--secret", "short=@value")
    if value.strip():
        assert ended.returncode == 0
        assert "short" in ended.stderr + ended.stdout
        assert "warning" in ended.stderr + ended.stdout
    if ended.returncode == 0:
        assert "11 is true, 1 of no 2" in ended.stdout
