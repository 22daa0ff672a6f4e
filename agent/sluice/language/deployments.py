"""What a deployment job adds: environment, strategy and life-cycle hooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from sluice.language.places import build_environment, build_pool
from sluice.language.plan import Deployment, Hook, Text
from sluice.language.reader import is_number, known_later
from sluice.language.schema import DEPLOYMENT_STRATEGIES, DEPLOYMENT_STRATEGY, HOOK, ON
from sluice.language.steps import build_steps
from sluice.language.tree import Mapping

if TYPE_CHECKING:
    from sluice.language.build import Build
    from sluice.language.reader import Fields
    from sluice.language.tree import Node

_HOOKS = ("preDeploy", "deploy", "routeTraffic", "postRouteTraffic")
_Strategy = Literal["runOnce", "rolling", "canary"]


def build_deployment(build: Build, fields: Fields, name: str, node: Mapping) -> Deployment | None:
    """The deployment of a job, None when its strategy cannot be read."""
    strategy = fields.get("strategy")
    environment = build_environment(build, fields.get("environment"))
    if environment is None and type(fields.get("environment")) is not Mapping:
        build.problems.add(f"the deployment job '{name}' needs 'environment'", node)
    if type(strategy) is not Mapping:
        build.problems.add(f"the deployment job '{name}' needs 'strategy'", node)
        return None
    chosen = list(build.reader.fields(strategy, DEPLOYMENT_STRATEGY).items())
    if len(chosen) != 1:
        build.problems.add("a deployment strategy is one of runOnce, rolling, canary", strategy)
        return None
    kind, body = chosen[0]
    if type(body) is not Mapping:
        return None
    settings = build.reader.fields(body, DEPLOYMENT_STRATEGIES[kind])
    hooks = _hooks(build, settings)
    if not hooks:
        build.problems.add(f"'{kind}' has no hook with steps", body, do="add 'deploy: {steps: [...]}'")
    return Deployment(
        environment=environment,
        strategy=cast("_Strategy", kind),
        hooks=hooks,
        max_parallel=_max_parallel(build, settings),
        increments=_increments(build, settings.get("increments")),
    )


def _hooks(build: Build, settings: Fields) -> tuple[Hook, ...]:
    written = [(name, settings.get(name)) for name in _HOOKS]
    ending = settings.get("on")
    if type(ending) is Mapping:
        written += [(f"on.{name}", value) for name, value in build.reader.fields(ending, ON).items()]
    return tuple(_hook(build, name, node) for name, node in written if type(node) is Mapping)


def _hook(build: Build, name: str, node: Mapping) -> Hook:
    fields = build.reader.fields(node, HOOK)
    steps = build_steps(build, fields.get("steps"), checkout=False, downloads=name == "deploy")
    return Hook(name=name, steps=steps, pool=build_pool(build, fields.get("pool")))


def _max_parallel(build: Build, settings: Fields) -> Text | None:
    text = build.reader.placed(settings, "maxParallel")
    if text is not None and not is_number(text.value.removesuffix("%")) and not known_later(text.value):
        build.problems.add(
            f"'maxParallel' has to be a whole number or a percentage, not '{text.value}'", settings["maxParallel"]
        )
    return text


def _increments(build: Build, node: Node | None) -> tuple[str, ...]:
    texts = build.reader.texts(node, "increments")
    for text in texts:
        if not known_later(text.value) and (not is_number(text.value) or not 0 < int(text.value[:9]) <= 100):
            build.problems.add_at(f"an increment is a percentage from 1 to 100, not '{text.value}'", text.where)
    return tuple(text.value for text in texts)
