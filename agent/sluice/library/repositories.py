"""Repositories of a project as a person works with them: no list is kept, so what one may see is all that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.errors import NotFoundError
from sluice.rights import Right
from sluice.storage import projects
from sluice.storage import repositories as rows

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.permissions import Resource


def get(transaction: Transaction, project_id: int, name: str, guard: Guard = UNRESTRICTED) -> Resource:
    """The repository of that name or id; raises `NotFoundError` for one that the person does not see."""
    found = rows.get(projects.get(transaction, project_id), name)
    if not guard.allows(transaction, Right.SEE, found):
        raise NotFoundError(f"there is no repository '{name.strip()}'", do="see 'sluice repository list'")
    return found
