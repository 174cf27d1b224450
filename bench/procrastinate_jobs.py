"""Prints how many jobs a second procrastinate's worker completes: URL JOBS. Runs in its own venv."""

from __future__ import annotations

import asyncio
import logging
import sys
import time

import procrastinate

CONCURRENCY = 16


async def main(url: str, jobs: int) -> None:
    """Queues, then lets a worker complete all of it."""
    connector = procrastinate.PsycopgConnector(conninfo=url, min_size=4, max_size=16)
    app = procrastinate.App(connector=connector)

    @app.task(name="nothing")
    async def nothing(ticket: int) -> int:
        return ticket

    async with app.open_async():
        found = await connector.execute_query_one_async(
            "SELECT to_regclass('procrastinate_jobs') IS NOT NULL AS there"
        )
        if not found["there"]:
            await app.schema_manager.apply_schema_async()
        await nothing.batch_defer_async(*({"ticket": number} for number in range(jobs)))
        began = time.perf_counter()
        await app.run_worker_async(
            concurrency=CONCURRENCY, wait=False, install_signal_handlers=False
        )
        print(jobs / (time.perf_counter() - began))


logging.disable(logging.CRITICAL)
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
