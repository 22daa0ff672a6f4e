"""Checks that a service answers later: it proves itself with a token that it got for this one check. Pure.

Of the token only a digest is kept, with the check. It is good until the check is decided, and for 48 hours at most.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Final

from sluice.authorization.checks.model import Check, State, Suite
from sluice.authorization.checks.suite import put, record
from sluice.hooks.checks import Decision
from sluice.secret import Secret

TOKEN_SECONDS: Final = 48 * 3600.0
"""Documented: how long a check's token is good."""


def digest(token: Secret) -> str:
    """What is kept of a token. It is random and long, so a plain digest does not give it away."""
    return hashlib.sha256(token.reveal().encode()).hexdigest()


def expect(check: Check, token: Secret, now: float) -> Check:
    """The check with a token that may answer it; any token that it had before is good no more."""
    return replace(check, token_digest=digest(token), token_until=now + TOKEN_SECONDS)


def refusal(suite: Suite, check: Check, token: Secret, now: float) -> str:
    """Why that token may not answer the check now; '' when it may."""
    if not check.token_digest or not hmac.compare_digest(check.token_digest, digest(token)):
        return "the token is not the one that was given out for this check"
    if check.token_until is None or check.token_until <= now:
        return "the token is no longer good: it was for 48 hours"
    if not suite.open or check.state is not State.RUNNING:
        return f"the check is decided already: {check.state}"
    return ""


def answered(suite: Suite, check: Check, decision: Decision, now: float) -> Suite:
    """The suite with the service's answer, which is final whatever the check's interval: the token is used up."""
    final = replace(check, retry_interval=0)
    return record(put(suite, final), check.id, check.evaluations, decision, now)
