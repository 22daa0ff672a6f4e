"""`python -m sluice`."""

from __future__ import annotations

from sluice.cli.main import main

main()
