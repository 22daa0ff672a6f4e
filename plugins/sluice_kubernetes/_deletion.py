"""What `kubectl delete` takes for arguments, carried out through the API: `deployment/web`, `svc a b`, `pods -l app=web`, `-f FILE`."""

from __future__ import annotations

from dataclasses import dataclass, field

from sluice.plugin import TaskFailedError, TaskRun, split_arguments
from sluice_kubernetes._cluster import Cluster, ClusterError, Resource
from sluice_kubernetes._manifests import manifest_files, read_objects, title
from sluice_kubernetes._objects import delete, place_of

_FLAGS = {
    "-f": "file",
    "--filename": "file",
    "-l": "selector",
    "--selector": "selector",
    "-n": "namespace",
    "--namespace": "namespace",
    "--grace-period": "grace",
    "--cascade": "cascade",
    "--field-selector": "fields",
}
_SWITCHES = {
    "--all": "all",
    "--ignore-not-found": "missing_is_fine",
    "--wait": "",
    "--now": "now",
    "-R": "",
    "--force": "",
}
_CASCADES = {
    "background": "Background",
    "true": "Background",
    "foreground": "Foreground",
    "orphan": "Orphan",
    "false": "Orphan",
}


@dataclass(kw_only=True)
class Deletion:
    """What to delete: `names` as written, or all of the kinds that a selector or `--all` means, or the objects of files."""

    names: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        return self.options.get(name, "false") != "false"


def parse_deletion(arguments: str, where: str) -> Deletion:
    """Read arguments; raises `TaskFailedError` for an option that is not known here."""
    found = Deletion()
    words = iter(split_arguments(arguments))
    for word in words:
        name, has_value, value = word.partition("=")
        if not word.startswith("-"):
            found.names.append(word)
        elif name in _SWITCHES:
            found.options[_SWITCHES[name]] = value if has_value else "true"
        elif name in _FLAGS:
            given = value if has_value else next(words, "")
            if _FLAGS[name] == "file":
                found.files += [one for one in given.split(",") if one]
            else:
                found.options[_FLAGS[name]] = given
        else:
            raise TaskFailedError(
                f"the argument '{name[:40]}' is not supported by the action delete",
                where=where,
                why=f"there are: {', '.join([*_FLAGS, *_SWITCHES])}",
                do="use Kubernetes@1 with 'command: delete', which runs kubectl",
            )
    if not found.names and not found.files:
        raise TaskFailedError("Arguments are not supplied.", where=where)
    return found


def carry_out(run: TaskRun, cluster: Cluster, namespace: str, asked: Deletion) -> None:
    """Delete; raises `ClusterError` for what does not exist, unless `--ignore-not-found` says that this is fine."""
    where = asked.options.get("namespace", namespace)
    query = _query(asked, run.task)
    for described in read_objects(manifest_files(run, asked.files), run.task) if asked.files else ():
        _delete(run, cluster, place_of(cluster, where, described)[1], title(described), query, asked)
    for resource, name in _named(cluster, asked, run.task):
        if name:
            _delete(run, cluster, resource.path(where, name), f"{resource.plural}/{name}", query, asked)
        else:
            _delete_all(run, cluster, resource, where, query, asked)


def _named(cluster: Cluster, asked: Deletion, where: str) -> list[tuple[Resource, str]]:
    """Kinds and names; an empty name means all that are selected."""
    if not asked.names:
        return []
    if all("/" in word for word in asked.names):
        pairs = [word.split("/", 1) for word in asked.names]
        return [(cluster.find_resource(kind), name) for kind, name in pairs]
    kinds, names = asked.names[0].split(","), asked.names[1:]
    resources = [cluster.find_resource(kind) for kind in kinds if kind]
    if names:
        return [(resource, name) for resource in resources for name in names]
    if not (asked.has("all") or "selector" in asked.options or "fields" in asked.options):
        raise TaskFailedError(
            "resource(s) were provided, but no name was specified", where=where, do="name them, or give -l or --all"
        )
    return [(resource, "") for resource in resources]


def _delete_all(
    run: TaskRun, cluster: Cluster, resource: Resource, namespace: str, query: dict[str, str], asked: Deletion
) -> None:
    selection = {"labelSelector": asked.options.get("selector", ""), "fieldSelector": asked.options.get("fields", "")}
    listed = cluster.ask(
        "GET", resource.path(namespace), query={key: value for key, value in selection.items() if value}
    )
    for one in listed.get("items") or ():
        name = str(one["metadata"]["name"])
        _delete(run, cluster, resource.path(namespace, name), f"{resource.plural}/{name}", query, asked)


def _delete(run: TaskRun, cluster: Cluster, path: str, called: str, query: dict[str, str], asked: Deletion) -> None:
    if delete(cluster, path, query=query):
        run.say(f"{called} deleted")
    elif asked.has("missing_is_fine"):
        run.say(f"{called} is not there")
    else:
        error = ClusterError(f"{called} not found", where=cluster.where)
        error.status = 404
        raise error


def _query(asked: Deletion, where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    if "cascade" in asked.options:
        policy = _CASCADES.get(asked.options["cascade"].casefold())
        if policy is None:
            raise TaskFailedError(f"--cascade takes one of {', '.join(_CASCADES)}", where=where)
        found["propagationPolicy"] = policy
    grace = "1" if asked.has("now") else asked.options.get("grace", "")
    if grace:
        if not grace.lstrip("-").isdecimal():
            raise TaskFailedError("--grace-period takes a number of seconds", where=where)
        if int(grace) >= 0:
            found["gracePeriodSeconds"] = grace
    return found
