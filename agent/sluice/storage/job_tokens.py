"""Tokens of jobs: what the steps of a job show to the server. Kept as a hash, and good as long as that job runs.

A row that somebody writes into the database by hand has no code that vouches for it, and speaks for nobody.
"""

from __future__ import annotations

import hashlib
import secrets

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.secret import Secret
from sluice.storage import records
from sluice.storage.engine import Transaction
from sluice.storage.records import RecordRow
from sluice.storage.tables_server import job_tokens
from sluice.values import dataclass

MARK = "sluicejob_"
"""What every token of a job begins with."""

_KIND = "job token"
_BYTES = 32
_BY_ID = select(*job_tokens.c).where(job_tokens.c.id == bindparam("id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobToken:
    """Whose token it is: `job` is the timeline record of that attempt of the job."""

    run_id: int
    job: RecordRow


def issue(transaction: Transaction, run_id: int, job_id: str, *, at: float) -> Secret:
    """Make a token of a job; an earlier one of the same job ends."""
    text = MARK + secrets.token_urlsafe(_BYTES)
    values = {"id": _hash(text), "run_id": run_id, "job_id": job_id, "created_at": float(at)}
    code = transaction.voucher.code(_KIND, *values.values())
    transaction.execute(
        sqlalchemy.delete(job_tokens).where(job_tokens.c.run_id == run_id, job_tokens.c.job_id == job_id)
    )
    transaction.execute(sqlalchemy.insert(job_tokens).values(**values, code=code))
    return Secret(text)


def find(transaction: Transaction, text: str) -> JobToken | None:
    """Whose token somebody shows; None for one that there is not, or whose job is over."""
    row = transaction.row(_BY_ID, {"id": _hash(text)})
    if row is None or not transaction.voucher.vouches(row.code, _KIND, *row[:-1]):
        return None
    job = records.get(transaction, row.run_id, row.job_id)
    if job is None or job.state != "inProgress" or job.superseded:
        return None
    return JobToken(run_id=row.run_id, job=job)


def forget(transaction: Transaction, run_id: int) -> None:
    """End every token of a run's jobs: it is over."""
    transaction.execute(sqlalchemy.delete(job_tokens).where(job_tokens.c.run_id == run_id))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
