"""Checks of protected resources: their kinds, and what becomes of them at the checkpoint of a stage."""
