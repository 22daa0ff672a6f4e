"""The project in which something is stored: found by its name, or made by who may make projects."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from sluice.errors import NotFoundError
from sluice.storage import projects
from sluice.storage.names import clean_name

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.storage.engine import Transaction

_ALIKE = 0.75
"""From here on a name that no project has is taken for a slip of the pen."""


def home_for(transaction: Transaction, guard: Guard, name: str, *, at: float) -> projects.Project:
    """The project of that name; an administrator's first connection (or the like) in a new one makes it.

    Raises `NotFoundError` for a name that is much like another project's: that one was meant.
    """
    if found := projects.look_up(transaction, name):
        return found
    known = [project.name for project in projects.listed(transaction)]
    folded = {one.casefold(): one for one in known}
    if near := difflib.get_close_matches(name.strip().casefold(), folded, n=1, cutoff=_ALIKE):
        raise NotFoundError(
            f"there is no project '{clean_name(name)}'",
            do=f"did you mean '{folded[near[0]]}'? A new one is made with 'sluice project create'",
        )
    guard.require_administrator(f"make the project '{clean_name(name)}'", "vso.project_manage")
    return projects.create(transaction, name, by=guard.actor.name or "sluice", at=at)
