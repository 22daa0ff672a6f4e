"""What pages ask of a request: who makes it, and numbers that a database can hold."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query

from sluice.server.authentication import caller as who
from sluice.server.caller import Caller

Signed = Annotated[Caller, Depends(who)]
"""The person who makes the request; nobody else gets further."""

Number = Annotated[str, Query(max_length=18, pattern="^[0-9]*$")]
"""A number in an address, '' for none."""

RunNumber = Annotated[int, Query(ge=0, lt=10**18)]
