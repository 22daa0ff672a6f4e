"""Fixtures for authors of plugins; loaded by pytest through the entry point `sluice`."""
