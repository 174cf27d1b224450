"""The job as a procrastinate task, which keeps no results: the task itself puts them into a table.

Who waits for one listens, as procrastinate's own worker does.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import job
import procrastinate
import psycopg

URL = os.environ["BROKER"]
TABLE = "CREATE TABLE results (job bigint PRIMARY KEY, value jsonb NOT NULL)"
PUT = "INSERT INTO results VALUES (%(job)s, to_jsonb(%(value)s::int))"
TELL = "SELECT pg_notify('results', %(job)s::text)"

app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=URL))


@app.task(name="answer", pass_context=True)
async def answer(context: procrastinate.JobContext) -> None:
    """The job, and its result."""
    put = f"WITH put AS ({PUT}) {TELL}"
    await app.connector.execute_query_async(put, job=context.job.id, value=job.answer())


class Waiter:
    """Defers jobs, and listens for results."""

    def __init__(self) -> None:
        self._there: set[int] = set()
        self._connection = psycopg.connect(URL, autocommit=True)
        self._connection.execute("LISTEN results")
        app.open()

    def submit(self) -> int:
        """Queues one job."""
        number: int = answer.defer()
        return number

    def result(self, number: int) -> Any:
        """Waits for its result."""
        while number not in self._there:
            for told in self._connection.notifies(timeout=120, stop_after=1):
                self._there.add(int(told.payload))
        self._there.remove(number)
        query = "SELECT value FROM results WHERE job = %s"
        return self._connection.execute(query, [number]).fetchone()[0]


def prepare() -> None:
    """Makes the tables."""
    with app.open():
        app.schema_manager.apply_schema()
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute(TABLE)


@functools.cache
def waiter() -> Waiter:
    """Only for who asks for results: a worker has no use for it."""
    return Waiter()


def submit() -> int:
    """Queues one job."""
    return waiter().submit()


def result(submitted: int) -> Any:
    """Waits for its result."""
    return waiter().result(submitted)
