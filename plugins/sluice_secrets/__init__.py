"""Where secrets may lie instead of in Sluice: `keyring:`, `vault:` and `azurekeyvault:` references.

`env:` and `file:` references are the core's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sluice.plugin import Connection, Reading, SecretSource, SecretStore, hookimpl


class Keyring:
    """`keyring:SERVICE/USER`: a password of the keyring of whoever runs Sluice."""

    def check(self, reference: str) -> None:
        """Refuse what names no service and user."""
        from sluice_secrets._keyring import parse

        parse(reference)

    def read(self, references: Sequence[str], connection: Connection | None) -> Reading:
        """Read them one by one."""
        from sluice_secrets._keyring import read

        return read(references, connection)

    def revoke(self, lease: str) -> None:
        """Nothing is leased there."""


class Vault:
    """`vault:PATH#FIELD`: a secret of HashiCorp Vault or OpenBao; a dynamic one lives until its job ends."""

    def check(self, reference: str) -> None:
        """Refuse what names no mount and path."""
        from sluice_secrets._vault import parse

        parse(reference)

    def read(self, references: Sequence[str], connection: Connection | None) -> Reading:
        """Read them; those of one path share what is read, and its lease."""
        from sluice_secrets._vault import read

        return read(references, connection)

    def revoke(self, lease: str) -> None:
        """Revoke a lease."""
        from sluice_secrets._vault import revoke

        revoke(lease)


class AzureKeyVault:
    """`azurekeyvault:VAULT/NAME?connection=AZURE`: a secret of Azure Key Vault, read with the identity of a connection."""

    def check(self, reference: str) -> None:
        """Refuse what names no vault and secret."""
        from sluice_secrets._azure import parse

        parse(reference)

    def read(self, references: Sequence[str], connection: Connection | None) -> Reading:
        """Read them, all with one token."""
        from sluice_secrets._azure import read

        return read(references, connection)

    def revoke(self, lease: str) -> None:
        """Nothing is leased there."""


@hookimpl
def sluice_secret_sources() -> Mapping[str, SecretSource | SecretStore]:
    return {"keyring": Keyring(), "vault": Vault(), "azurekeyvault": AzureKeyVault()}
