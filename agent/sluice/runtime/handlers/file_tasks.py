"""The built-in tasks that copy, delete, pack and unpack files, run Python, and choose tools of this machine."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.runtime.handlers.native import NativeTask, later

_DOCS = "https://learn.microsoft.com/azure/devops/pipelines/tasks/reference"

TASKS: Mapping[str, NativeTask] = {
    "pythonscript@0": NativeTask(
        label="Python script",
        description="Run a Python file or inline script",
        version="0",
        help=f"{_DOCS}/python-script-v0",
        run=later("python_script"),
        contained=True,
    ),
    "copyfiles@2": NativeTask(
        label="Copy files",
        description="Copy files from a source folder to a target folder using patterns matching file paths "
        "(not folder paths)",
        version="2",
        help=f"{_DOCS}/copy-files-v2",
        run=later("copy_files"),
    ),
    "deletefiles@1": NativeTask(
        label="Delete files",
        description="Delete folders, or files matching a pattern",
        version="1",
        help=f"{_DOCS}/delete-files-v1",
        run=later("delete_files"),
    ),
    "archivefiles@2": NativeTask(
        label="Archive files",
        description="Compress files into .7z, .tar.gz, or .zip",
        version="2",
        help=f"{_DOCS}/archive-files-v2",
        run=later("archive_files"),
    ),
    "extractfiles@1": NativeTask(
        label="Extract files",
        description="Extract a variety of archive and compression files such as .7z, .rar, .tar.gz, and .zip",
        version="1",
        help=f"{_DOCS}/extract-files-v1",
        run=later("extract_files"),
    ),
    "downloadsecurefile@1": NativeTask(
        label="Download secure file",
        description="Download a secure file to the agent machine",
        version="1",
        help=f"{_DOCS}/download-secure-file-v1",
        run=later("download_secure_file"),
    ),
    "usepythonversion@0": NativeTask(
        label="Use Python version",
        description="Use the specified version of Python from the tool cache, optionally adding it to the PATH",
        version="0",
        help=f"{_DOCS}/use-python-version-v0",
        run=later("use_python"),
    ),
    "nodetool@0": NativeTask(
        label="Node.js tool installer",
        description="Finds the specified version spec of Node.js and adds it to the PATH",
        version="0",
        help=f"{_DOCS}/node-tool-v0",
        run=later("use_node", "run_node_tool"),
    ),
    "usenode@1": NativeTask(
        label="Setup Node.js environment",
        description="Set up a Node.js environment and add it to the PATH",
        version="1",
        help=f"{_DOCS}/use-node-v1",
        run=later("use_node", "run_use_node"),
    ),
}
"""By casefolded `Name@Major`; their modules are imported when a step of theirs runs."""
