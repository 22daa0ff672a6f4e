"""`options` of a container: what `docker create` takes on its command line, as the engine's API has it. Pure."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from sluice.errors import TaskFailedError
from sluice.values import dataclass

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?\Z", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s|m|h)")
_NANOSECONDS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


@dataclass(slots=True)
class Creation:
    """What a container is created with: `config` and `host` are the API's, `ports` and `volumes` as written."""

    config: dict[str, Any] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    platform: str = ""
    network: str = ""
    aliases: list[str] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)

    def health(self) -> dict[str, Any]:
        return self.config.setdefault("Healthcheck", {})  # type: ignore[no-any-return]  # JSON


_Apply = Callable[[Creation, str], None]


def read_options(text: str, environ: Mapping[str, str]) -> Creation:
    """Read options; `environ` has the values of `-e NAME`. Raises `TaskFailedError` for one that is not known."""
    creation = Creation()
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise TaskFailedError("the options of the container cannot be read", where=text, why=str(error)) from error
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        name = _SHORT.get(name, name)
        if name not in _VALUES and name not in _FLAGS and len(word) > 2 and word[:2] in _SHORT:
            name, equals, value = _SHORT[word[:2]], "=", word[2:]  # -p80:80
        if name in _FLAGS:
            if value.casefold() not in {"", "true"}:
                continue  # --init=false
            _FLAGS[name](creation, "")
            continue
        apply = _VALUES.get(name)
        if apply is None:
            raise _unknown(word)
        if not equals:
            if not words:
                raise TaskFailedError(f"the option {word} of the container needs a value")
            value = words.pop(0)
        if name == "--env" and "=" not in value:
            value = f"{value}={environ.get(value, '')}"
        _apply(apply, creation, name, value)
    return creation


def _apply(apply: _Apply, creation: Creation, name: str, value: str) -> None:
    try:
        apply(creation, value)
    except (ValueError, KeyError, IndexError) as error:
        raise TaskFailedError(f"the option {name} of the container cannot be '{value}'") from error


def _unknown(word: str) -> TaskFailedError:
    near = difflib.get_close_matches(word.partition("=")[0], [*_VALUES, *_FLAGS, *_SHORT], n=1)
    what = f"the option '{word}' of the container is not known" if word.startswith("-") else f"'{word}' is no option"
    return TaskFailedError(what, do=f"did you mean {near[0]}?" if near else "options are those of 'docker create'")


def size(text: str) -> int:
    """Bytes: `512m`, `1g`."""
    found = _SIZE.match(text.strip())
    if found is None:
        raise ValueError(text)
    return int(float(found[1]) * _UNITS[found[2].lower()])


def duration(text: str) -> int:
    """Nanoseconds: `10s`, `1m30s`."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(text)
    return int(sum(float(number) * _NANOSECONDS[unit] for number, unit in parts))


def _config(key: str, read: Callable[[str], object] = str) -> _Apply:
    return lambda creation, value: creation.config.__setitem__(key, read(value))


def _host(key: str, read: Callable[[str], object] = str) -> _Apply:
    return lambda creation, value: creation.host.__setitem__(key, read(value))


def _host_list(key: str) -> _Apply:
    return lambda creation, value: creation.host.setdefault(key, []).append(value)


def _host_map(key: str, separator: str) -> _Apply:
    def apply(creation: Creation, value: str) -> None:
        name, _, rest = value.partition(separator)
        creation.host.setdefault(key, {})[name] = rest

    return apply


def _health(key: str, read: Callable[[str], object]) -> _Apply:
    return lambda creation, value: creation.health().__setitem__(key, read(value))


def _label(creation: Creation, value: str) -> None:
    name, _, rest = value.partition("=")
    creation.config.setdefault("Labels", {})[name] = rest


def _env(creation: Creation, value: str) -> None:
    name, _, rest = value.partition("=")
    creation.env[name] = rest


def _device(creation: Creation, value: str) -> None:
    host, _, rest = value.partition(":")
    inside, _, permissions = rest.partition(":")
    device = {"PathOnHost": host, "PathInContainer": inside or host, "CgroupPermissions": permissions or "rwm"}
    creation.host.setdefault("Devices", []).append(device)


def _gpus(creation: Creation, value: str) -> None:
    request: dict[str, Any] = {"Driver": "", "Capabilities": [["gpu"]]}
    if value.startswith("device="):
        request["DeviceIDs"] = value.removeprefix("device=").strip('"').split(",")
    else:
        request["Count"] = -1 if value == "all" else int(value)
    creation.host.setdefault("DeviceRequests", []).append(request)


def _ulimit(creation: Creation, value: str) -> None:
    name, _, limits = value.partition("=")
    soft, _, hard = limits.partition(":")
    ulimit = {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}
    creation.host.setdefault("Ulimits", []).append(ulimit)


def _restart(creation: Creation, value: str) -> None:
    name, _, count = value.partition(":")
    creation.host["RestartPolicy"] = {"Name": name, "MaximumRetryCount": int(count or 0)}


def _log_driver(creation: Creation, value: str) -> None:
    creation.host.setdefault("LogConfig", {})["Type"] = value


def _log_option(creation: Creation, value: str) -> None:
    name, _, rest = value.partition("=")
    creation.host.setdefault("LogConfig", {}).setdefault("Config", {})[name] = rest


_MOUNT_KEYS = {"type": "Type", "source": "Source", "src": "Source", "target": "Target", "dst": "Target"}


def _mount(creation: Creation, value: str) -> None:
    mount: dict[str, Any] = {"Type": "volume"}
    for part in value.split(","):
        name, _, rest = part.partition("=")
        if name in {"readonly", "ro"}:
            mount["ReadOnly"] = rest.casefold() in {"", "true", "1"}
        elif name == "destination":
            mount["Target"] = rest
        else:
            mount[_MOUNT_KEYS[name]] = rest
    creation.host.setdefault("Mounts", []).append(mount)


def _network(creation: Creation, value: str) -> None:
    creation.network = value


_VALUES: Mapping[str, _Apply] = {
    "--add-host": _host_list("ExtraHosts"),
    "--cap-add": _host_list("CapAdd"),
    "--cap-drop": _host_list("CapDrop"),
    "--cgroup-parent": _host("CgroupParent"),
    "--cgroupns": _host("CgroupnsMode"),
    "--cpu-period": _host("CpuPeriod", int),
    "--cpu-quota": _host("CpuQuota", int),
    "--cpu-shares": _host("CpuShares", int),
    "--cpus": _host("NanoCpus", lambda text: int(float(text) * 10**9)),
    "--cpuset-cpus": _host("CpusetCpus"),
    "--cpuset-mems": _host("CpusetMems"),
    "--device": _device,
    "--dns": _host_list("Dns"),
    "--dns-option": _host_list("DnsOptions"),
    "--dns-search": _host_list("DnsSearch"),
    "--domainname": _config("Domainname"),
    "--entrypoint": _config("Entrypoint", lambda text: [text] if text else [""]),
    "--env": _env,
    "--gpus": _gpus,
    "--group-add": _host_list("GroupAdd"),
    "--health-cmd": _health("Test", lambda text: ["CMD-SHELL", text]),
    "--health-interval": _health("Interval", duration),
    "--health-retries": _health("Retries", int),
    "--health-start-period": _health("StartPeriod", duration),
    "--health-timeout": _health("Timeout", duration),
    "--hostname": _config("Hostname"),
    "--ipc": _host("IpcMode"),
    "--label": _label,
    "--link": _host_list("Links"),
    "--log-driver": _log_driver,
    "--log-opt": _log_option,
    "--memory": _host("Memory", size),
    "--memory-reservation": _host("MemoryReservation", size),
    "--memory-swap": _host("MemorySwap", lambda text: -1 if text == "-1" else size(text)),
    "--mount": _mount,
    "--name": lambda creation, value: setattr(creation, "name", value),
    "--network": _network,
    "--network-alias": lambda creation, value: creation.aliases.append(value),
    "--oom-score-adj": _host("OomScoreAdj", int),
    "--pid": _host("PidMode"),
    "--pids-limit": _host("PidsLimit", int),
    "--platform": lambda creation, value: setattr(creation, "platform", value),
    "--publish": lambda creation, value: creation.ports.append(value),
    "--restart": _restart,
    "--runtime": _host("Runtime"),
    "--security-opt": _host_list("SecurityOpt"),
    "--shm-size": _host("ShmSize", size),
    "--stop-signal": _config("StopSignal"),
    "--stop-timeout": _config("StopTimeout", int),
    "--sysctl": _host_map("Sysctls", "="),
    "--tmpfs": _host_map("Tmpfs", ":"),
    "--ulimit": _ulimit,
    "--user": _config("User"),
    "--userns": _host("UsernsMode"),
    "--uts": _host("UTSMode"),
    "--volume": lambda creation, value: creation.volumes.append(value),
    "--volumes-from": _host_list("VolumesFrom"),
    "--workdir": _config("WorkingDir"),
}
_FLAGS: Mapping[str, _Apply] = {
    "--init": lambda creation, _: creation.host.__setitem__("Init", True),
    "--interactive": lambda creation, _: creation.config.__setitem__("OpenStdin", True),
    "--no-healthcheck": lambda creation, _: creation.config.__setitem__("Healthcheck", {"Test": ["NONE"]}),
    "--oom-kill-disable": lambda creation, _: creation.host.__setitem__("OomKillDisable", True),
    "--privileged": lambda creation, _: creation.host.__setitem__("Privileged", True),
    "--publish-all": lambda creation, _: creation.host.__setitem__("PublishAllPorts", True),
    "--read-only": lambda creation, _: creation.host.__setitem__("ReadonlyRootfs", True),
    "--tty": lambda creation, _: creation.config.__setitem__("Tty", True),
}
_SHORT = {
    "-c": "--cpu-shares",
    "-e": "--env",
    "-h": "--hostname",
    "-i": "--interactive",
    "-l": "--label",
    "-m": "--memory",
    "-p": "--publish",
    "-t": "--tty",
    "-u": "--user",
    "-v": "--volume",
    "-w": "--workdir",
    "-P": "--publish-all",
    "--net": "--network",
    "--net-alias": "--network-alias",
    "--dns-opt": "--dns-option",
}
