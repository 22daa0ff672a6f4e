"""Unmodified Azure Pipelines task packages: read, checked, kept, and made to run."""
