"""Makes an opened connection what a use of it receives, the way its type's plugin knows (a fresh token, say)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluice.hooks.connection import Connection
    from sluice.hooks.declaration import Prepare


def prepare(connection: Connection, preparations: Mapping[str, Prepare] | None = None) -> Connection:
    """The connection as steps and clones receive it; raises `SluiceError` when its far side refuses.

    To be called when no transaction is open: the far side may be asked.
    """
    if preparations is None:
        from sluice.hooks.manager import installed

        preparations = installed().preparations
    change = preparations.get(connection.type.casefold())
    return change(connection) if change is not None else connection
