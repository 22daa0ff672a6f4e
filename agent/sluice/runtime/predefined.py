"""Variables that only the machine which runs a job knows, and the names that no step may set."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Iterator, Mapping

AGENT_VERSION = "4.248.0"
"""Answered to tasks that ask for a minimum agent; the agent whose behaviour is followed."""

TOOL_SETTINGS = {
    "AZURE_CONFIG_DIR": "azure",
    "CLOUDSDK_CONFIG": "gcloud",
    "DOCKER_CONFIG": "docker",
    "KUBECONFIG": "kube/config",
}
"""Where tools keep what a log-in gives them, by environment variable: below the job's private folder."""

_SERVER = "https://sluice.invalid/local/"
"""The server's address where there is none: a name that never resolves, so that nobody is sent the job's token."""

SERVER_ADDRESSES = dict.fromkeys(
    (
        "System.CollectionUri",
        "System.TaskDefinitionsUri",
        "System.TeamFoundationCollectionUri",
        "System.TeamFoundationServerUri",
    ),
    _SERVER,
)
"""Variables that say where the server is."""

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
        "_JAVA_OPTIONS",
        "ALL_PROXY",
        "BROWSER",
        "CDPATH",
        "CLASSPATH",
        "COMSPEC",
        "CURL_CA_BUNDLE",
        "CURL_HOME",
        "EDITOR",
        "ENV",
        "FTP_PROXY",
        "GCONV_PATH",
        "GLOBIGNORE",
        "GOBIN",
        "GOENV",
        "GOFLAGS",
        "GOPATH",
        "GOPROXY",
        "GOROOT",
        "GOTOOLCHAIN",
        "GRADLE_OPTS",
        "HOME",
        "HOSTALIASES",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "IFS",
        "INPUTRC",
        "JDK_JAVA_OPTIONS",
        "KUBECONFIG",
        "LESSCLOSE",
        "LESSOPEN",
        "LOCPATH",
        "M2_HOME",
        "MAKEFLAGS",
        "MAKEFILES",
        "MANPAGER",
        "MAVEN_ARGS",
        "MAVEN_OPTS",
        "NETRC",
        "NLSPATH",
        "NO_PROXY",
        "PAGER",
        "PATH",
        "PATHEXT",
        "PROMPT_COMMAND",
        "PS4",
        "PSMODULEPATH",
        "REQUESTS_CA_BUNDLE",
        "RUSTC_WRAPPER",
        "RUSTC",
        "RUSTFLAGS",
        "SBT_OPTS",
        "SHELL",
        "SHELLOPTS",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "SUDO_ASKPASS",
        "SUDO_EDITOR",
        "TEMP",
        "TMP",
        "TMPDIR",
        "USERPROFILE",
        "VIRTUAL_ENV",
        "VISUAL",
        "ZDOTDIR",
        "BASHOPTS",
        "BASH_ENV",
        "DOCKER_CONFIG",
        "DOCKER_HOST",
        "DOTNET_STARTUP_HOOKS",
        "GIT_ASKPASS",
        "GIT_DIR",
        "GIT_EXEC_PATH",
        "GIT_EXTERNAL_DIFF",
        "GIT_PROXY_COMMAND",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_WORK_TREE",
        "JAVA_TOOL_OPTIONS",
        "NODE_EXTRA_CA_CERTS",
        "NODE_OPTIONS",
        "NODE_PATH",
        "NPM_CONFIG_REGISTRY",
        "NPM_CONFIG_SCRIPT_SHELL",
        "NPM_CONFIG_USERCONFIG",
        "PERL5DB",
        "PERL5LIB",
        "PERL5OPT",
        "PIP_CONFIG_FILE",
        "PIP_INDEX_URL",
        "PYTHONHOME",
        "PYTHONINSPECT",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "RUBYLIB",
        "RUBYOPT",
        "SSH_ASKPASS",
        "SSH_AUTH_SOCK",
        "XDG_CONFIG_HOME",
    ]
)
"""What decides which code a later program loads, which settings it reads, or where it goes with its credentials.

As in an environment; a restricted step cannot set them.
"""

_ALWAYS_LOADERS = ("BASH_FUNC_", "DYLD_", "GIT_CONFIG", "LD_")
_LOADER_PREFIXES = (
    *("ANSIBLE_", "ANT_", "AWS_", "AZURE_", "BASH_", "CARGO_", "CLOUDSDK_", "COMPOSER_", "CORECLR_", "COR_", "DOCKER_"),
    *(
        "BUILDKIT_",
        "DOTNET_",
        "DYLD_",
        "GEM_",
        "GIT_",
        "GOOGLE_",
        "HELM_",
        "JAVA_",
        "KUBE_",
        "LD_",
        "MALLOC_",
        "MSBUILD",
    ),
    *("NODE_", "NPM_", "NUGET_", "PERL", "PIP_", "PYTHON", "RUBY", "SLUICE_", "SSH_", "SVN_", "TERRAGRUNT_", "TF_"),
    *("VSTS_", "XDG_", "YARN_"),
)
_SWITCHES = ("AGENT_", "AZP_", "BUILD_", "DECODEPERCENTS", "DISABLE_INPUT_TRIMMING", "PROCESS_", "SYSTEM_")
"""Variables that say how a job is run."""


@functools.lru_cache(maxsize=4096)
def environment_name(name: str, *, preserve_case: bool = False) -> str:
    """A variable's name in the environment: dots and blanks become underscores, letters upper case.

    What is asked of a name (is it read-only, does it reach a loader) is asked of this spelling, since several names
    share it: `Build.Reason` and `build_reason`, but also names with letters that only become ASCII in upper case.
    """
    # asked for every variable of a job before every step; names that are kept are short
    return (_spell if len(name) <= _SHORT else _spell.__wrapped__)(name, preserve_case)


_SHORT = 128


@functools.lru_cache(maxsize=4096)
def _spell(name: str, preserve_case: bool) -> str:  # private
    spelled = name.replace(".", "_").replace(" ", "_")
    return spelled if preserve_case else spelled.upper()


def is_loader_variable(name: str, step: str = "") -> bool:
    """Whether a variable of that name would reach a loader or an interpreter, or decide how the job goes on.

    It may be an output variable of `step`: then its full name is looked at too. What that begins with is the pipeline's
    choice, so only names that are known count.
    """
    spelled = environment_name(name.strip())
    if spelled in LOADER_VARIABLES or spelled.startswith((*_LOADER_PREFIXES, *_SWITCHES)):
        return True
    full = environment_name(f"{step}.{name.strip()}")
    return full in LOADER_VARIABLES or full.startswith(_ALWAYS_LOADERS)


def tools_folder(environ: Mapping[str, str]) -> str:
    """The folder of installed tools that the machine's environment names; '' for the work folder's own."""
    named = environ.get("AGENT_TOOLSDIRECTORY", "").strip()
    return named if os.path.isabs(named) else ""  # noqa: PTH117  # texts throughout


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
