"""Invoke Azure Function: a function is asked with its key, which travels in a header and never in an address."""

from __future__ import annotations

from urllib.parse import urlsplit

from sluice.plugin import CheckRun, Connection, Decision, Proposed, Secret, SluiceError, VerificationError
from sluice_checks._invocation import Target, decide, unreachable, with_system_variables
from sluice_checks._invocation import problems as invocation_problems

KEY_HEADER = "x-functions-key"


def evaluate(run: CheckRun) -> Decision:
    """Ask the function; see `_invocation`."""
    run = with_system_variables(run)
    address = run.setting("function").strip()
    if problem := _address_problem(address):
        raise SluiceError(problem)
    key = run.secret("key") or Secret("")
    url = _url(run.expand(address), run.expand(run.setting("queryParameters")).strip())
    target = Target(
        connection=Connection(id="", name=run.resource.name, type="", url=url),
        url=url,
        headers={KEY_HEADER: Secret(run.expand_secret(key.reveal()).reveal().strip())},  # files end with a line break
    )
    try:
        return decide(run, target)
    except VerificationError as error:
        return unreachable(error)


def problems(proposed: Proposed) -> tuple[str, ...]:
    """An address that a run could turn elsewhere, and what `_invocation.problems` finds."""
    address = proposed.settings.get("function", "")
    problem = _address_problem(address.strip() if isinstance(address, str) else "")
    return (*((problem,) if problem else ()), *invocation_problems(proposed))


def _url(url: str, parameters: str) -> str:
    if any(ord(one) < 32 for one in url + parameters):
        raise SluiceError("the address of the function holds a line break or another control character")
    return f"{url}{'&' if '?' in url else '?'}{parameters.lstrip('?&')}" if parameters else url


def _address_problem(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return "function: that is no URL"
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        return "function: write its URL, such as https://app.azurewebsites.net/api/check"
    if "$" in parts.netloc or "@" in parts.netloc:
        return "function: the host has to stand there as it is; a variable of a run could lead the key elsewhere"
    return ""
