"""Variables that only the machine which runs a job knows, and the names that no step may set."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

AGENT_VERSION = "4.248.0"
"""Answered to tasks that ask for a minimum agent; the agent whose behaviour is followed."""

TOOL_SETTINGS = {
    "AZURE_CONFIG_DIR": "azure",
    "CLOUDSDK_CONFIG": "gcloud",
    "DOCKER_CONFIG": "docker",
    "KUBECONFIG": "kube/config",
}
"""Where tools keep what a log-in gives them, by environment variable: below the job's private folder."""

_SYSTEMS = {"Linux": "Linux", "Darwin": "Darwin", "Windows": "Windows_NT"}
_ARCHITECTURES = {"x86_64": "X64", "amd64": "X64", "i686": "X86", "aarch64": "ARM64", "arm64": "ARM64", "armv7l": "ARM"}

OUTSIDE_TEXT = frozenset(
    {
        "agent.machinename",
        "agent.name",
        "build.definitionname",
        "build.sourcebranch",
        "build.sourcebranchname",
        "build.sourceversionauthor",
        "build.sourceversionmessage",
        "build.requestedfor",
        "build.requestedforemail",
        "release.definitionname",
        "release.environmentname",
        "system.definitionname",
        "system.jobdisplayname",
        "system.phasedisplayname",
        "system.pullrequest.sourcebranch",
        "system.sourceversionmessage",
        "system.stagedisplayname",
    }
)
"""Variables that somebody outside may have written: they must not command anything when a step prints them."""

RESERVED_PREFIXES = ("endpoint", "input", "secret", "securefile")
"""Beginnings of names, in lower case, that never reach the environment: tasks receive other things under them."""

LOADER_VARIABLES = frozenset(
    [
        "bash_env",
        "bash_func_",
        "classpath",
        "cdpath",
        "comspec",
        "dotnet_startup_hooks",
        "env",
        "git_exec_path",
        "git_external_diff",
        "git_ssh",
        "git_ssh_command",
        "globignore",
        "ifs",
        "java_tool_options",
        "_java_options",
        "jdk_java_options",
        "ld_audit",
        "ld_library_path",
        "ld_preload",
        "node_options",
        "node_path",
        "npm_config_script_shell",
        "path",
        "pathext",
        "perl5db",
        "perl5lib",
        "perl5opt",
        "prompt_command",
        "psmodulepath",
        "pythonhome",
        "pythonpath",
        "pythonstartup",
        "pythoninspect",
        "rubylib",
        "rubyopt",
        "shell",
        "shellopts",
        "bashopts",
    ]
)
"""What decides which code a later program loads; in lower case. A restricted step cannot set them."""


def is_loader_variable(name: str) -> bool:
    """Whether a variable of that name would reach a loader or an interpreter."""
    spelled = name.strip().replace(".", "_").replace(" ", "_").lower()
    return spelled in LOADER_VARIABLES or spelled.startswith(("bash_func_", "dyld_", "ld_", "git_config"))


def machine_variables() -> Iterator[tuple[str, str]]:
    """What this machine is."""
    node = platform.node() or "localhost"
    yield "Agent.Id", "1"
    yield "Agent.Name", "sluice"
    yield "Agent.MachineName", node
    yield "Agent.OS", _SYSTEMS.get(platform.system(), platform.system())
    machine = platform.machine().lower()
    yield "Agent.OSArchitecture", _ARCHITECTURES.get(machine, machine.upper())
    yield "Agent.Version", AGENT_VERSION
    yield "Agent.IsSelfHosted", "1"
    yield "Agent.CloudId", ""
    yield "System.IsAzureVM", "0"
    yield "System.IsDockerContainer", "1" if os.path.exists("/.dockerenv") else "0"  # noqa: PTH110  # a constant
    yield "System.Culture", "en-US"
    yield "GIT_TERMINAL_PROMPT", "0"
