from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import TaskFailedError
from sluice.runtime.containers.options import Creation, duration, read_options, size


def read(text: str, **environ: str) -> Creation:
    return read_options(text, environ)


def test_options_become_what_the_engine_knows() -> None:
    found = read(
        "--cpus 1.5 -m 512m --shm-size=1g --privileged --init=false --cap-add SYS_PTRACE --cap-add=NET_ADMIN "
        "--ulimit nofile=64:128 --tmpfs /run:size=1m --device /dev/fuse --gpus all --sysctl a.b=1 --read-only"
    )
    assert found.host == {
        "NanoCpus": 1_500_000_000,
        "Memory": 512 << 20,
        "ShmSize": 1 << 30,
        "Privileged": True,
        "CapAdd": ["SYS_PTRACE", "NET_ADMIN"],
        "Ulimits": [{"Name": "nofile", "Soft": 64, "Hard": 128}],
        "Tmpfs": {"/run": "size=1m"},
        "Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}],
        "DeviceRequests": [{"Driver": "", "Capabilities": [["gpu"]], "Count": -1}],
        "Sysctls": {"a.b": "1"},
        "ReadonlyRootfs": True,
    }


def test_health_checks_are_quoted_as_in_a_shell() -> None:
    found = read('--health-cmd "curl -f http://localhost || exit 1" --health-interval 1m30s --health-retries=3')
    assert found.config["Healthcheck"] == {
        "Test": ["CMD-SHELL", "curl -f http://localhost || exit 1"],
        "Interval": 90 * 10**9,
        "Retries": 3,
    }


def test_short_options_may_hold_their_values() -> None:
    found = read(
        "-p80:8080 -v /a:/b -e NAME -eOTHER=x=y -u 1000 --net host --net-alias a -h inside", NAME="of the host"
    )
    assert (found.ports, found.volumes, found.network, found.aliases) == (["80:8080"], ["/a:/b"], "host", ["a"])
    assert found.env == {"NAME": "of the host", "OTHER": "x=y"}
    assert found.config == {"User": "1000", "Hostname": "inside"}


def test_mounts_are_read_part_by_part() -> None:
    found = read("--mount type=bind,src=/a,dst=/b,readonly --mount source=v,destination=/c,ro=false")
    assert found.host["Mounts"] == [
        {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True},
        {"Type": "volume", "Source": "v", "Target": "/c", "ReadOnly": False},
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("--cpu 1", r"'--cpu' of the container is not known \(did you mean --cpus\?\)"),
        ("--cpus many", "--cpus of the container cannot be 'many'"),
        ("--memory", "--memory of the container needs a value"),
        ("stray", "'stray' is no option"),
        ('--health-cmd "open', "cannot be read"),
        ("--health-interval 5", "cannot be '5'"),
        ("--mount what=ever", "cannot be 'what=ever'"),
    ],
)
def test_what_is_not_understood_is_told(text: str, said: str) -> None:
    with pytest.raises(TaskFailedError, match=said):
        read(text)


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("2k", 2048), ("1.5G", 3 << 29), ("3MiB", 3 << 20)])
def test_sizes_have_units(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize(("text", "value"), [("1s", 10**9), ("1h2m", 3720 * 10**9), ("1.5ms", 1_500_000)])
def test_durations_are_nanoseconds(text: str, value: int) -> None:
    assert duration(text) == value


@given(st.text(max_size=40))
def test_any_text_is_read_or_told(text: str) -> None:
    with contextlib.suppress(TaskFailedError):
        assert isinstance(read(text), Creation)
