"""Sluice runs Azure Pipelines YAML anywhere, with service connections that open only when permitted."""
