"""Schema revisions. Imports nothing, so that a glance at a database can compare them cheaply."""

from __future__ import annotations

REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
    "0017",
)
"""Every schema revision this version knows, oldest first (a test compares them with the migrations)."""

NEWEST = REVISIONS[-1]
