"""Steps: every kind of step becomes a task with inputs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sluice.errors import SluiceError
from sluice.language.build import Names
from sluice.language.downloads import DOWNLOAD
from sluice.language.expressions import Phase
from sluice.language.plan import Step, Target, Text
from sluice.language.problems import did_you_mean
from sluice.language.reader import known_later, text_of
from sluice.language.schema import STEP_KEYS, STEP_KINDS, TARGET, StepKind
from sluice.language.tasks import CHECKOUT
from sluice.language.tree import Mapping, Scalar, Sequence, kind_of

if TYPE_CHECKING:
    from sluice.language.build import Build
    from sluice.language.reader import Fields
    from sluice.language.tasks import TaskDefinition
    from sluice.language.tree import Node

MAX_RETRIES = 10
_STEP_NAME = re.compile(r"[-_A-Za-z0-9]*\Z")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


class _Written(NamedTuple):
    """A step as read: `key` names its kind."""

    item: Mapping
    key: str
    kind: StepKind
    fields: Fields


def build_steps(build: Build, node: Node | None, *, checkout: bool, downloads: bool = False) -> tuple[Step, ...]:
    """The steps of a job or hook; with `checkout` they start with an implicit one unless they say otherwise.

    With `downloads` they start with those of all artifacts of the run and of each pipeline resource, likewise.
    """
    names = Names("the step", build.problems)
    items = node.items if type(node) is Sequence else []
    read = [written for item in items if (written := _read(build, item)) is not None]
    for written in read:
        name = written.fields.get("name")
        if type(name) is Scalar and name.value:
            if _STEP_NAME.match(name.value) is None:
                build.problems.add(
                    f"the step name '{name.value}' has characters other than letters, digits, - and _", name
                )
            names.take(name.value, name)
    steps: list[Step] = []
    implicit = checkout
    for written in read:
        step = _step(build, names, written)
        if step is not None and step.task.value == CHECKOUT:
            implicit = False
            if step.inputs["repository"].value.casefold() == "none":
                continue
        if step is not None and build.reader.boolean(written.fields, "enabled", default=True):
            steps.append(step)
    if implicit and node is not None:
        steps.insert(0, _implicit_checkout(node, names))
    if downloads and node is not None and not any(_downloads(written) for written in read):
        steps[:0] = [_implicit_download(node, names, source) for source in ("current", *sorted(build.pipelines))]
    return tuple(steps)


def _downloads(written: _Written) -> bool:
    """Whether a step says itself what to download, or that nothing is."""
    task = written.fields.get("task")
    named = task.value.partition("@")[0].casefold() if type(task) is Scalar else ""
    return written.key == "download" or named == DOWNLOAD.partition("@")[0].casefold()


def _implicit_download(node: Node, names: Names, source: str) -> Step:
    where = node.where
    return Step(
        task=Text(DOWNLOAD, where),
        name=names.make(DOWNLOAD.partition("@")[0], node),
        display_name="Download artifacts" if source == "current" else f"Download artifacts of {source}",
        inputs={"source": Text(source, where)},
        implicit=True,
        where=where,
    )


def _implicit_checkout(node: Node, names: Names) -> Step:
    where = node.where
    return Step(
        task=Text(CHECKOUT, where),
        name=names.make("Checkout", node),
        display_name="Checkout self",
        inputs={"repository": Text("self", where)},
        implicit=True,
        where=where,
    )


def _read(build: Build, item: Node) -> _Written | None:
    if type(item) is not Mapping:
        build.problems.add(f"a step has to be a mapping, not {kind_of(item)}", item, do="write '- script: ...'")
        return None
    for key, _ in item.pairs:
        kind = STEP_KINDS.get(key.value)
        if kind is not None:
            return _Written(item, key.value, kind, build.reader.fields(item, kind.shape))
    unknown = [key for key, _ in item.pairs if key.value not in STEP_KEYS]
    for key in unknown:
        build.problems.add(f"unknown key '{key.value}' of a step", key, do=did_you_mean(key.value, STEP_KEYS))
    if not unknown:
        known = ", ".join(STEP_KINDS)
        build.problems.add("a step has to say what it does", item, do=f"one of: {known}")
    return None


def _step(build: Build, names: Names, written: _Written) -> Step | None:
    fields = written.fields
    kind = written.kind
    first = fields.get(written.key)
    if type(first) is not Scalar:
        return None
    found = None
    if kind.task:
        task = Text(kind.task, first.where)
        title = kind.task.partition("@")[0]
        inputs = _shortcut_inputs(build, written, first)
    else:
        definition = find_task(build, first)
        if definition is None:
            return None
        found = definition
        task = Text(definition.reference, first.where)
        title = definition.label or definition.name
        inputs = build.reader.text_map(fields.get("inputs"), "inputs")
        _check_inputs(build, definition, fields.get("inputs"))
        _check_required(build, definition, inputs, first)
    if task.value == CHECKOUT:
        inputs.setdefault("repository", Text("self", first.where))
        _check_repository(build, inputs["repository"], first)
        title = f"Checkout {inputs['repository'].value}"
    elif task.value == DOWNLOAD and _is_none(inputs.get("source")):
        return None
    name = build.reader.text(fields, "name")
    if len(fields) == 1:
        return Step(
            task=task,
            name=names.make(_base(task), first),
            display_name=title,
            inputs=inputs,
            package=found.package if found else "",
            executions=found.executions if found else (),
            where=first.where,
        )
    reader = build.reader
    return Step(
        task=task,
        name=name or names.make(_base(task), first),
        display_name=reader.text(fields, "displayName") or name or title,
        named=bool(name),
        inputs=inputs,
        env=reader.text_map(fields.get("env"), "env"),
        condition=build.condition(fields, Phase.STEP_CONDITION),
        continue_on_error=reader.later_boolean(fields, "continueOnError"),
        timeout_minutes=reader.later_number(fields, "timeoutInMinutes"),
        retry_count=_retries(build, fields),
        target=_target(build, fields.get("target")) if "target" in fields else None,
        package=found.package if found else "",
        executions=found.executions if found else (),
        where=first.where,
    )


def _is_none(text: Text | None) -> bool:
    return text is not None and text.value.casefold() == "none"


def _base(task: Text) -> str:
    return task.value.partition("@")[0]


def _shortcut_inputs(build: Build, written: _Written, first: Scalar) -> dict[str, Text]:
    kind = written.kind
    fields = written.fields
    inputs = {kind.value: text_of(first)}
    for name, value in kind.fixed.items():
        inputs[name] = Text(value, first.where)
    for key, name in kind.inputs.items():
        node = fields.get(key)
        if type(node) is Scalar:
            inputs[name] = text_of(node)
    if "inputs" in fields:
        inputs.update(build.reader.text_map(fields["inputs"], "inputs"))
    if written.key == "download":
        _check_download(build, first)
    return inputs


def _check_download(build: Build, first: Scalar) -> None:
    alias = first.value.casefold()
    if alias not in {"current", "none", "specific"} and alias not in build.pipelines and not known_later(alias):
        advice = did_you_mean(first.value, ["current", "none", *build.pipelines])
        build.problems.add(f"'{first.value}' is no alias of 'resources.pipelines'", first, do=advice)


def _check_repository(build: Build, repository: Text, node: Scalar) -> None:
    alias = repository.value.casefold()
    if alias not in build.repositories and "://" not in alias and not known_later(alias):
        advice = did_you_mean(repository.value, build.repositories)
        build.problems.add(f"'{repository.value}' is no alias of 'resources.repositories'", node, do=advice)


def find_task(build: Build, node: Scalar) -> TaskDefinition | None:
    """The task that a `task:` step names; that it is unknown is a problem with advice."""
    reference = node.value.strip()
    name, at, version = reference.partition("@")
    if not at or not version or not name:
        build.problems.add(f"the task '{reference}' needs a version", node, do=_version_advice(build, reference))
        return None
    try:
        definition = build.tasks.find(reference)
    except SluiceError as error:  # an ambiguous name, a package that was changed
        build.problems.add(f"{error.what}: {error.why}" if error.why else error.what, node, do=error.do)
        return None
    if definition is not None:
        if definition.deprecated:
            build.problems.note(f"the task '{definition.reference}' is deprecated", node)
        return definition
    if "." in name or _GUID.match(name):
        what, advice = f"the task '{reference}' is not installed", "sluice extension install <file.vsix>"
    elif versions := build.tasks.versions(name):
        what, advice = f"there is no version {version} of the task '{name}'", f"known: {', '.join(versions)}"
    else:
        what = f"unknown task '{reference}'"
        near = build.tasks.nearest(reference)
        advice = "install its extension: sluice extension install <file.vsix>"
        if near:
            advice = f"did you mean {' or '.join(repr(each) for each in near)}? Else {advice}"
    build.problems.add(what, node, do=advice)
    return None


def _version_advice(build: Build, reference: str) -> str:
    versions = build.tasks.versions(reference.rstrip("@"))
    return f"write '{reference.rstrip('@')}@{versions[-1]}'" if versions else "write 'Name@1'"


def _check_inputs(build: Build, definition: TaskDefinition, node: Node | None) -> None:
    if type(node) is not Mapping or definition.open_inputs:
        return
    for key, _ in node.pairs:
        if definition.input(key.value) is None:
            known = [name for each in definition.inputs for name in (each.name, *each.aliases)]
            advice = did_you_mean(key.value, known)
            build.problems.note(
                f"the task '{definition.reference}' has no input '{key.value}'" + (f" ({advice})" if advice else ""),
                key,
            )


def _check_required(build: Build, definition: TaskDefinition, inputs: dict[str, Text], node: Scalar) -> None:
    """A required input that is left out may still come to nothing: what the task makes of it is its own."""
    if definition.open_inputs or not any(each.required for each in definition.inputs):
        return
    from sluice.language.visibility import missing_inputs

    for each in missing_inputs(definition, {name: text.value for name, text in inputs.items()}):
        build.problems.note(f"the task '{definition.reference}' requires the input '{each.name}'", node)


def _retries(build: Build, fields: Fields) -> int:
    node = fields.get("retryCountOnTaskFailure")
    if node is None:
        return 0
    text = build.reader.later_number(fields, "retryCountOnTaskFailure")
    if text is None:
        return 0
    if not text.value.isdecimal():
        build.problems.add("'retryCountOnTaskFailure' has to be known when the run is created", node)
        return 0
    if int(text.value) > MAX_RETRIES:
        build.problems.note(f"'retryCountOnTaskFailure' is {text.value}, at most {MAX_RETRIES} are made", node)
    return min(int(text.value), MAX_RETRIES)


def _target(build: Build, node: Node | None) -> Target | None:
    if type(node) is Scalar:
        return Target(container=_container(build, node)) if node.value else None
    if type(node) is not Mapping:
        return None
    fields = build.reader.fields(node, TARGET)
    container = fields.get("container")
    settable: tuple[str, ...] | None = None
    if "settableVariables" in fields:
        settable = build.reader.values(fields["settableVariables"], "settableVariables")
        if type(fields["settableVariables"]) is Scalar and [name.casefold() for name in settable] == ["none"]:
            settable = ()
    return Target(
        container=_container(build, container) if type(container) is Scalar else "",
        restricted=build.reader.choice(fields, "commands", TARGET) == "restricted",
        settable=settable,
    )


def _container(build: Build, node: Scalar) -> str:
    name = node.value
    if name.casefold() not in build.containers and name.casefold() != "host" and not known_later(name):
        advice = did_you_mean(name, ["host", *build.containers])
        build.problems.add(f"'{name}' is no alias of 'resources.containers'", node, do=advice)
    return name
