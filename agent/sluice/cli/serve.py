"""`sluice serve`: the REST interface, the web pages, and whatever carries runs out, in one process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sluice.hooks.networks import Networks

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command(name="serve", epilog="Example: sluice serve --port 8080")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at; others reach no other.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: one that is free.")
@click.option("--public-url", default="", metavar="URL", help="How others reach the server, such as behind a proxy.")
@click.option("--allow-host", "hosts", multiple=True, metavar="HOST[:PORT]", help="A further name of the server.")
@click.option("--trusted-proxy", "proxies", multiple=True, metavar="ADDRESS", help="Whose X-Forwarded-For is believed.")
@click.option(
    "--allow-network",
    "networks",
    multiple=True,
    metavar="CIDR",
    help="An inner network where connections may be tried, such as 10.0.0.0/8; none without this.",
)
@click.option("--tls-certificate", type=_FILE, help="A certificate (PEM): the server speaks TLS.")
@click.option("--tls-key", type=_FILE, help="Its key (PEM).")
@click.option("--organization", default="local", show_default=True, help="The organization in addresses.")
def command(
    *,
    host: str,
    port: int,
    public_url: str,
    hosts: tuple[str, ...],
    proxies: tuple[str, ...],
    networks: tuple[str, ...],
    tls_certificate: Path | None,
    tls_key: Path | None,
    organization: str,
) -> None:
    """Serve the REST interface and the web pages, and carry out the runs that are made there.

    It listens on this machine only unless --host says otherwise. Ctrl-C ends it when the running jobs are over; once
    more cancels these. Runs that wait go on waiting.
    """
    from sluice.server.serving import serve
    from sluice.server.settings import ServerSettings

    settings = ServerSettings(
        host=host,
        port=port,
        public_url=public_url,
        certificate=tls_certificate,
        key=tls_key,
        hosts=hosts,
        proxies=proxies,
        networks=_networks(networks),
        organization=organization,
    )
    if not settings.loopback and not settings.secure:
        click.echo(
            "sluice: warning: without TLS everybody on the network can read tokens: give --tls-certificate and --tls-key",
            err=True,
        )
    serve(settings, click.echo)


def _networks(texts: tuple[str, ...]) -> Networks:
    import ipaddress

    from sluice.errors import UsageError
    from sluice.hooks.networks import Networks

    try:
        return Networks(tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts))
    except ValueError as error:
        raise UsageError(f"--allow-network: {error}", do="write it as 10.0.0.0/8") from None
