"""`sluice connection types`: what can be connected to, and the fields of each type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sluice.cli.output import output_option, print_fields, print_json, print_table

if TYPE_CHECKING:
    from sluice.hooks.declaration import ConnectionType, Field


@click.command("types")
@click.argument("type_name", metavar="[TYPE]", default="")
@output_option
def types(type_name: str, *, output: str) -> None:
    """List the connection types, or the fields of one.

    \b
    Example: sluice connection types ssh
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.connections.catalogue import Catalogue

    catalogue = Catalogue.installed()
    if type_name:
        _show(catalogue.get(type_name), output)
        return
    kinds = catalogue.all()
    if output == "json":
        print_json([_as_json(kind) for kind in kinds])
        return
    rows = [
        {
            "type": kind.name,
            "label": kind.label,
            "schemes": ", ".join(scheme.name for scheme in kind.schemes),
            "summary": kind.summary,
        }
        for kind in kinds
    ]
    print_table(rows, ["type", "label", "schemes", "summary"], empty="no plugin offers a connection type")


def _show(kind: ConnectionType, output: str) -> None:
    if output == "json":
        print_json(_as_json(kind))
        return
    url = f"{kind.url.label} ({'required' if kind.url.required else 'optional'})" if kind.url.entered else "made"
    if kind.url.by_value:
        url = f"made from {kind.url.chosen_by}, entered with other values than {', '.join(dict(kind.url.by_value))}"
    print_fields({"type": kind.name, "label": kind.label, "summary": kind.summary, "url": url})
    rows = [_row(f"scheme {scheme.name}", field) for scheme in kind.schemes for field in scheme.parameters] + [
        _row("data", field) for field in kind.data
    ]
    click.echo()
    print_table(rows, ["field", "where", "kind", "help"], empty="it has no fields")


def _row(where: str, field: Field) -> dict[str, object]:
    marks = ["/".join(field.choices) or str(field.kind)]
    if field.required:
        marks.append("required")
    if field.secret:
        marks.append("secret")
    if field.when:
        marks.append(f"for {field.when[0]} {' or '.join(field.when[1:])}")
    return {"field": field.key, "where": where, "kind": ", ".join(marks), "help": field.help or field.label}


def _as_json(kind: ConnectionType) -> dict[str, Any]:
    return {
        "type": kind.name,
        "label": kind.label,
        "summary": kind.summary,
        "url": {
            "label": kind.url.label,
            "entered": kind.url.entered,
            "required": kind.url.required,
            "default": kind.url.default,
            "template": kind.url.template,
            "chosenBy": kind.url.chosen_by,
            "byValue": dict(kind.url.by_value),
        },
        "schemes": [
            {
                "scheme": scheme.name,
                "label": scheme.label,
                "parameters": [_field_as_json(field) for field in scheme.parameters],
            }
            for scheme in kind.schemes
        ],
        "data": [_field_as_json(field) for field in kind.data],
    }


def _field_as_json(field: Field) -> dict[str, Any]:
    return {
        "key": field.key,
        "label": field.label,
        "kind": field.kind,
        "secret": field.secret,
        "required": field.required,
        "default": field.default,
        "choices": list(field.choices),
        "help": field.help,
        "when": {"field": field.when[0], "values": list(field.when[1:])} if field.when else None,
    }
