"""Evaluates one policy, in a process of its own: a policy may ask for more time and memory than there is.

Run as a file, by `_policy`: reads a request from standard input and writes an answer to standard output, both JSON.
A request is `{"name", "modules", "query", "rules", "input"}`, an answer `{"told": [...]}` or `{"error": "..."}`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterator

MEMORY = 512 << 20
CPU_SECONDS = 2
LOOK_SECONDS = 0.02
NO_RESULT = "a function failed or is not supported, rules contradict each other, or it wants too much"
MOST = 100
LONGEST = 1000
_ERROR_TEXT = re.compile(r"\(errormsg \d+:([^\n]*)\)\s*\n")


def main() -> None:
    """Limit this process, evaluate, answer."""
    _limit()
    request = json.load(sys.stdin)
    answer = os.fdopen(os.dup(1), "w")
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123  # the engine tells errors on standard output
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    with answer:
        json.dump(_evaluated(request), answer)


def _limit() -> None:
    """Limit time and memory. The engine reserves addresses by the terabyte, so what it really took is looked at."""
    try:
        import resource
    except ImportError:  # on Windows the patience of the caller is the only limit
        return
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def watch() -> None:
        while _resident() < MEMORY:
            time.sleep(LOOK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _resident() -> int:
    """Bytes of memory that this process holds."""
    try:
        # not what getrusage says on Linux: there the size of the process that started this one counts, too
        with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123  # on the way of every look
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used if sys.platform == "darwin" else used * 1024


def _evaluated(request: dict[str, object]) -> dict[str, object]:
    try:
        from regopy import Interpreter
    except (ImportError, OSError):
        return {"error": "there is no Rego engine on this machine: pip install regopy"}
    engine = Interpreter()
    engine.strict_built_in_errors = True  # otherwise a rule whose function fails, or is not there, refuses nothing
    try:
        engine.set_input(request["input"])
        modules = request["modules"]
        for name, text in modules.items() if isinstance(modules, dict) else ():
            engine.add_module(name, text)
        output = engine.query(str(request["query"]))
        document = output.results[0].expressions[0] if output.results else None
    except Exception as error:  # noqa: BLE001  # whatever the engine says of a policy is its author's
        return {"error": _text_of(error, engine, str(request["query"]))}
    if not isinstance(document, dict):  # what went wrong while it was evaluated leaves no result
        return {"error": NO_RESULT}
    wanted = request["rules"]
    told = [one for rule in (wanted if isinstance(wanted, list) else ()) for one in _messages(rule, document.get(rule))]
    return {"told": [one[:LONGEST] for one in told[:MOST]], "count": len(told)}


def _messages(rule: str, value: object) -> Iterator[str]:
    """What a rule produced: the elements of a set, the keys of a partial object, or that it holds."""
    if isinstance(value, dict):
        yield from (
            str(key) if held is True else f"{key}: {_shown(held)}" for key, held in value.items() if held is not False
        )
    elif isinstance(value, list):
        yield from map(_shown, value)
    elif value is not None and value is not False:
        yield rule if value is True else _shown(value)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _text_of(error: Exception, engine: object, query: str) -> str:
    text = str(error)
    found = _ERROR_TEXT.search(text)
    if found is None and isinstance(error, ValueError):  # the output is no JSON: it is a tree of errors
        from regopy import rego_shared

        text = rego_shared.rego_output_string(rego_shared.rego_query(engine._impl, query))  # type: ignore[attr-defined]  # noqa: SLF001
        found = _ERROR_TEXT.search(text)
    return found[1][:LONGEST] if found else "the policy cannot be evaluated"


if __name__ == "__main__":
    main()
