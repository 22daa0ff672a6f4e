"""A job's progress and secret outputs as bytes to be sealed, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sluice.runtime.request import JobProgress, JobVariable, Result
from sluice.secret import Secret


class ProgressEncoder:
    """Encodes how far one job is, after every step: public variables that are the same as before are not encoded again."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[JobVariable, str]] = {}

    def encode(self, progress: JobProgress) -> bytes:
        """The progress with its secrets in the clear: seal it at once."""
        variables = ",".join(map(self._variable, progress.variables))
        others = json.dumps(_without_variables(progress), ensure_ascii=False)
        return f'{{"variables":[{variables}],{others[1:]}'.encode("utf-8", "surrogatepass")

    def _variable(self, variable: JobVariable) -> str:
        known = self._known.get(variable.name)
        if known is not None and known[0] is variable:
            return known[1]
        content = [variable.name, *_plain(variable.value), variable.readonly, variable.preserve_case]
        text = json.dumps(content, ensure_ascii=False)
        if not isinstance(variable.value, Secret):
            self._known[variable.name] = variable, text
        return text


def encode_progress(progress: JobProgress) -> bytes:
    """The progress with its secrets in the clear: seal it at once."""
    return ProgressEncoder().encode(progress)


def _without_variables(progress: JobProgress) -> dict[str, Any]:
    return {
        "next": progress.next_step,
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
