"""A job's progress and secret outputs as bytes to be sealed, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sluice.runtime.request import JobProgress, JobVariable, Result
from sluice.secret import Secret


def encode_progress(progress: JobProgress) -> bytes:
    """The progress with its secrets in the clear: seal it at once."""
    content = {
        "next": progress.next_step,
        "variables": [
            [variable.name, *_plain(variable.value), variable.readonly, variable.preserve_case]
            for variable in progress.variables
        ],
        "outputs": {name: _plain(value) for name, value in progress.outputs.items()},
        "paths": progress.prepended_paths,
        "result": progress.result,
        "task": {
            step: {name: _plain(value) for name, value in values.items()}
            for step, values in progress.task_variables.items()
        },
        "masked": [[name, value.reveal()] for name, value in progress.masked],
        "used": round(progress.used_seconds, 3),
    }
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")


def decode_progress(raw: bytes) -> JobProgress:
    """What `encode_progress` wrote."""
    content: dict[str, Any] = json.loads(raw.decode("utf-8", "surrogatepass"))
    return JobProgress(
        next_step=content["next"],
        variables=tuple(
            JobVariable(name=name, value=_value(text, secret=secret), readonly=readonly, preserve_case=preserve)
            for name, text, secret, readonly, preserve in content["variables"]
        ),
        outputs={name: _value(text, secret=secret) for name, (text, secret) in content["outputs"].items()},
        prepended_paths=tuple(content["paths"]),
        result=Result(content["result"]),
        task_variables={
            step: {name: _value(text, secret=secret) for name, (text, secret) in values.items()}
            for step, values in content.get("task", {}).items()
        },
        used_seconds=content.get("used", 0),
        masked=tuple((name, Secret(text)) for name, text in content.get("masked", ())),
    )


def encode_secrets(secrets: Mapping[str, Secret]) -> bytes:
    """Secret outputs in the clear: seal them at once."""
    return json.dumps({name: value.reveal() for name, value in secrets.items()}).encode("ascii")


def decode_secrets(raw: bytes) -> dict[str, Secret]:
    """What `encode_secrets` wrote."""
    return {name: Secret(text) for name, text in json.loads(raw).items()}


def _plain(value: str | Secret) -> tuple[str, bool]:
    return (value.reveal(), True) if isinstance(value, Secret) else (value, False)


def _value(text: str, *, secret: bool) -> str | Secret:
    return Secret(text) if secret else text
