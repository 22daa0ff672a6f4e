"""Runs one job on one host: workspace, steps, processes, logging commands, masking. Knows no database and no server."""
