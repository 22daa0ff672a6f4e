"""Vouches for what a job's step waits for and for what ended its waits: who may approve it is told by them alone."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sluice.runs.step_waits import ANSWERS, WAIT
from sluice.storage import runs

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.records import RecordRow

CODE = "stepCode"
"""Detail of a job that vouches for its details `WAIT` and `ANSWERS`."""

_KIND = "step wait"


def vouched(transaction: Transaction, run_id: int, records: Iterable[RecordRow]) -> list[RecordRow]:
    """The records as they are to be stored: jobs with a code for what their steps wait for."""
    return [_vouched(transaction, run_id, record) for record in records]


def require(transaction: Transaction, run_id: int, records: Iterable[RecordRow]) -> None:
    """Raise `SealError` for a job whose step waits for something else than was stored, or has another answer."""
    for record in records:
        if _has_waited(record) and not transaction.voucher.vouches(
            record.details.get(CODE), _KIND, *_parts(run_id, record)
        ):
            raise runs.tampered(run_id)


def _vouched(transaction: Transaction, run_id: int, record: RecordRow) -> RecordRow:
    if not _has_waited(record):
        return record
    code = transaction.voucher.code(_KIND, *_parts(run_id, record))
    return replace(record, details={**record.details, CODE: code})


def _has_waited(record: RecordRow) -> bool:
    return record.type == "Job" and (WAIT in record.details or ANSWERS in record.details)


def _parts(run_id: int, record: RecordRow) -> tuple[Any, ...]:
    about = {key: record.details.get(key) for key in (WAIT, ANSWERS)}
    return run_id, record.id, json.dumps(about, ensure_ascii=False, sort_keys=True)
