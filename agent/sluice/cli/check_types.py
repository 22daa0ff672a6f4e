"""`sluice check types`: the kinds of checks, and what each takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sluice.cli.output import output_option, print_fields, print_json, print_table

if TYPE_CHECKING:
    from sluice.authorization.checks.kinds import Kinds
    from sluice.hooks.checks import CheckType


@click.command("types", epilog="Example: sluice check types business-hours")
@click.argument("kind", default="")
@output_option
def command(kind: str, *, output: str) -> None:
    """List the kinds of checks, or show what KIND takes."""
    from sluice.authorization.checks.kinds import Kinds
    from sluice.hooks.manager import installed

    kinds = Kinds(installed().check_types)
    if kind:
        _show(kinds.get(kind), output)
    else:
        _list(kinds, output)


def _list(kinds: Kinds, output: str) -> None:
    if output == "json":
        print_json([_describe(one) for one in kinds])
        return
    rows = [{"kind": one.name, "label": one.label, "what": one.summary} for one in kinds]
    print_table(rows, ["kind", "label", "what"], empty="no kinds of checks")


def _show(kind: CheckType, output: str) -> None:
    from sluice.cli.check import minutes

    if output == "json":
        print_json(_describe(kind))
        return
    print_fields(
        {
            "kind": f"{kind.name} ({kind.label})",
            "what": kind.summary,
            "asked": _WHEN.get(kind.category, kind.category),
            "timeout": f"{minutes(kind.timeout)}, then the stage is {kind.on_timeout}",
            "retry interval": minutes(kind.retry_interval) if kind.retry_interval else "0: one decision is final",
        }
    )
    rows = [
        {
            "setting": one.key,
            "what": " ".join(filter(None, (one.label, one.help and f"({one.help})"))),
            "values": ", ".join(one.choices) or ("true, false" if one.kind == "boolean" else ""),
            "default": one.default,
            "must": "required" if one.required else "secret" if one.secret else "",
        }
        for one in kind.fields
    ]
    click.echo()
    print_table(rows, ["setting", "what", "values", "default", "must"], empty="it has no settings")


_WHEN = {
    "sanityChecks": "first, before approvals",
    "preChecks": "before the dynamic checks",
    "main": "with the dynamic checks and approvals",
    "postChecks": "after the dynamic checks",
    "final": "last, when all others have passed",
}


def _describe(kind: CheckType) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "label": kind.label,
        "summary": kind.summary,
        "type": {"id": kind.type_id, "name": kind.type_name},
        "definition": {
            "id": kind.definition_id,
            "name": kind.definition_name,
            "version": kind.definition_version,
        },
        "evaluationOrder": kind.category,
        "timeout": kind.timeout,
        "retryInterval": kind.retry_interval,
        "onTimeout": kind.on_timeout,
        "bypassable": kind.bypassable,
        "settings": [
            {
                "key": one.key,
                "label": one.label,
                "help": one.help,
                "kind": one.kind,
                "choices": list(one.choices),
                "default": one.default,
                "required": one.required,
                "secret": one.secret,
            }
            for one in kind.fields
        ],
    }
