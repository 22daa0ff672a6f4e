"""The canonical form that steps have inside a parameter of type `step`, `stepList`, `job` and so on.

There every step is a `task` with `inputs`: templates that forbid a task to their callers compare with its name.
"""

from __future__ import annotations

from sluice.language.schema import STEP_KINDS
from sluice.language.tree import Mapping, Node, Scalar, Sequence
from sluice.language.values import mapping_of, sequence_of

CHECKOUT_ID = "6d15af64-176c-496d-b583-fd2ae21d4df4@1"
_BELOW = {
    "stage": {"jobs": "jobList"},
    "job": {"steps": "stepList", "strategy": "strategy"},
    "deployment": {"strategy": "strategy"},
    "strategy": dict.fromkeys(("runOnce", "rolling", "canary"), "hooks"),
    "hooks": {**dict.fromkeys(("preDeploy", "deploy", "routeTraffic", "postRouteTraffic"), "hook"), "on": "on"},
    "on": {"failure": "hook", "success": "hook"},
    "hook": {"steps": "stepList"},
}


def canonical(node: Node, kind: str) -> Node:
    """The value of a parameter of that type, with its steps rewritten."""
    if type(node) is Sequence and kind.endswith("List"):
        return sequence_of([canonical(item, kind.removesuffix("List")) for item in node.items], node)
    if type(node) is not Mapping:
        return node
    if kind == "step":
        return _step(node)
    below = _BELOW.get(kind, {})
    pairs = [(key, canonical(value, below[key.value]) if key.value in below else value) for key, value in node.pairs]
    return mapping_of(pairs, node)


def _step(node: Mapping) -> Mapping:
    """`script: x` becomes `task: CmdLine@2` with the input `script`; a task stays as it is."""
    first = next((key for key, _ in node.pairs if key.value in STEP_KINDS), None)
    kind = STEP_KINDS[first.value] if first is not None else None
    if first is None or kind is None or not kind.task:
        return node

    def text(value: str) -> Scalar:
        return Scalar(value, first.line, first.column, first.source)

    task = CHECKOUT_ID if first.value == "checkout" else kind.task
    inputs: list[tuple[Scalar, Node]] = [(text(name), text(value)) for name, value in kind.fixed.items()]
    pairs: list[tuple[Scalar, Node]] = [(text("task"), text(task))]
    for key, value in node.pairs:
        if key is first:
            inputs.append((text(kind.value), value))
        elif key.value in kind.inputs:
            inputs.append((Scalar(kind.inputs[key.value], key.line, key.column, key.source), value))
        elif key.value == "inputs" and type(value) is Mapping:
            inputs.extend(value.pairs)
        else:
            pairs.append((key, value))
    return mapping_of([*pairs, (text("inputs"), mapping_of(inputs, node))], node)
