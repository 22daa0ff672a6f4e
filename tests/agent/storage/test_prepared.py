"""Prepared statements do what SQLAlchemy does with the same statement."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import bindparam, insert, literal, select, update

from sluice.storage import audit, check_suites, records, requests, runs, usage
from sluice.storage.engine import Database
from sluice.storage.prepared import Prepared
from sluice.storage.tables import usage_history as table

COLUMNS = [column.name for column in table.columns if column.name != "finished_at"]
ADD = Prepared(insert(table), columns=COLUMNS)
OF_RUN = Prepared(select(table).where(table.c.run_id == bindparam("run"), table.c.started_at > 1).order_by(table.c.id))
END = Prepared(update(table).where(table.c.run_id == bindparam("run")).values(result=bindparam("result")))


def use(number: int, run: int) -> dict[str, Any]:
    numbers = {"id": number, "project_id": 1, "pipeline_id": 1, "run_id": run, "started_at": number / 2}
    return {name: numbers.get(name, f"{name} {number} é'") for name in COLUMNS}


def test_rows_are_added_changed_and_found(database: Database) -> None:
    with database.write() as transaction:
        assert transaction.run(ADD, *(use(number, run=number % 2) for number in range(1, 7))) == 6
        assert transaction.run(ADD, use(7, run=1)) == 1
        assert transaction.run(END, {"run": 1, "result": "Succeeded"}) == 4
        assert transaction.run(END, {"run": 8, "result": "Succeeded"}) == 0
        found = transaction.fetch(OF_RUN, {"run": 1})
        assert [row[0] for row in found] == [3, 5, 7]
        assert found == [tuple(row) for row in transaction.rows(OF_RUN.statement, {"run": 1})]


def test_truth_values_come_back_as_such(database: Database) -> None:
    with database.read() as transaction:
        [(yes, no, number)] = transaction.fetch(Prepared(select(literal(value=True), literal(value=False), literal(1))))
    assert yes is True
    assert no is False
    assert number == 1


def test_what_is_prepared_is_taken_back_with_its_transaction(database: Database) -> None:
    with database.write() as transaction:
        transaction.run(ADD, use(1, run=1))
        transaction.abandon()
    with database.read() as transaction:
        assert transaction.fetch(OF_RUN, {"run": 1}) == []


def test_a_value_that_is_missing_is_no_null(database: Database) -> None:
    with database.read() as transaction, pytest.raises(KeyError, match="run"):
        transaction.fetch(OF_RUN, {})


def test_what_depends_on_its_values_is_refused(database: Database) -> None:
    with database.read() as transaction, pytest.raises(TypeError, match="cannot be prepared"):
        transaction.fetch(Prepared(select(table).where(table.c.run_id.in_([1, 2]))))


@pytest.mark.parametrize("module", [audit, check_suites, records, requests, runs, usage])
def test_every_prepared_query_answers_what_its_statement_does(database: Database, module: Any) -> None:
    prepared = [one for one in vars(module).values() if isinstance(one, Prepared)]
    assert prepared
    with database.read() as transaction:
        for one in prepared:
            text = one.text_for(transaction._connection.dialect)
            if text.sql.startswith("SELECT"):
                values = dict.fromkeys((name for name, fixed in text.order if fixed is None), 1)
                assert transaction.fetch(one, values) == [tuple(row) for row in transaction.rows(one.statement, values)]
