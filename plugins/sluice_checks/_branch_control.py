"""Branch control: every linked repository of a run is at an allowed, and if wanted protected, branch."""

from __future__ import annotations

from sluice.plugin import CheckRun, Decision, LinkedRepository, Proposed

ANY = "*"
_SHOWN = 5


def evaluate(run: CheckRun) -> Decision:
    """Passes when all branches are allowed; the first reasons against it are told otherwise."""
    patterns = listed(run.setting("allowedBranches"))
    repositories = run.facts.repositories or (LinkedRepository(alias="self", branch=run.facts.branch),)
    refused = [text for one in repositories if (text := _branch_refusal(one, patterns))]
    if not refused and run.flag("ensureProtectionOfBranch"):
        refused = [text for one in repositories if (text := _protection_refusal(run, one))]
    if not refused:
        named = ", ".join(f"{_shown(one)} at {one.branch or 'an unknown branch'}" for one in repositories)
        return Decision.approved(f"allowed: {named}")
    more = f"; and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    return Decision.rejected("; ".join(refused[:_SHOWN]) + more)


def problems(proposed: Proposed) -> tuple[str, ...]:
    """Patterns that could match no branch, since branches are compared with their full names."""
    setting = proposed.settings.get("allowedBranches", "")
    patterns = listed(setting if isinstance(setting, str) else "")
    if not patterns:
        return ("allowedBranches names no branch; write full names such as refs/heads/main, or *",)
    short = next((one for one in patterns if not one.startswith(("refs/", ANY))), None)
    if short is not None:
        return (f"allowedBranches: '{short}' matches no branch; write its full name: refs/heads/{short}",)
    protection = str(proposed.settings.get("ensureProtectionOfBranch", "")).strip().casefold() == "true"
    if str(proposed.settings.get("allowUnknownStatusBranch", "")).strip().casefold() == "true" and not protection:
        return ("allowUnknownStatusBranch has a meaning only with ensureProtectionOfBranch",)
    return ()


def listed(text: str) -> tuple[str, ...]:
    """The patterns of a list with commas."""
    return tuple(one.strip() for one in text.split(",") if one.strip())


def matches(branch: str, pattern: str) -> bool:
    """Whether the whole branch fits, where `*` stands for any text, `/` included. Takes linear time."""
    first, *middle = pattern.split(ANY)
    if not middle:
        return branch == pattern
    last = middle.pop()
    if not branch.startswith(first) or len(branch) < len(first) + len(last) or not branch.endswith(last):
        return False
    rest = branch[len(first) : len(branch) - len(last)]
    for piece in middle:  # the leftmost place of each piece leaves most room for the next
        _, found, rest = rest.partition(piece) if piece else ("", ANY, rest)
        if not found:
            return False
    return True


def _branch_refusal(repository: LinkedRepository, patterns: tuple[str, ...]) -> str:
    if ANY in patterns:
        return ""
    if not repository.branch:
        return f"the branch of {_shown(repository)} is not known"
    if any(matches(repository.branch, pattern) for pattern in patterns):
        return ""
    return f"{_shown(repository)} is at '{repository.branch}', which is not among the allowed branches"


def _protection_refusal(run: CheckRun, repository: LinkedRepository) -> str:
    from sluice_checks._branch_protection import is_protected

    protected, why = is_protected(run, repository)
    if protected or (protected is None and run.flag("allowUnknownStatusBranch")):
        return ""
    where = f"the branch '{repository.branch or '(unknown)'}' of {_shown(repository)}"
    if protected is None:
        return f"whether {where} is protected is not known" + (f" ({why})" if why else "")
    return f"{where} is not protected"


def _shown(repository: LinkedRepository) -> str:
    named = repository.name and repository.name != repository.alias
    return f"'{repository.alias}' ({repository.name})" if named else f"'{repository.alias}'"
