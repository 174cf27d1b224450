"""Where the time of a run goes: a trivial one over HTTP, one after the other, by stages.

The server counts its own stages (`bifrost_execution_stage_seconds`); what is left of the whole is HTTP,
finding the workflow, checking inputs, waking the worker and reading the outcome.
"""

from __future__ import annotations

import http.client
import re

from figures import Figure, milliseconds
from run_and_wait import WORKFLOW, run_once
from server import Server

STAGE = re.compile(r'^bifrost_execution_stage_seconds_sum\{stage="(\w+)"\} (\S+)$', re.MULTILINE)
STAGES = ("enqueue", "claim", "place", "files", "fork", "import", "code", "end", "finish")


def measure(quick: bool) -> list[Figure]:
    """The mean of each stage, in the order in which they come."""
    warm_up, runs = (3, 10) if quick else (50, 500)
    with Server() as server:
        client = server.sign_in("provider")
        client.put("workflows/answer.py", WORKFLOW)
        for _ in range(warm_up):
            run_once(client)
        before = _seconds(server)
        whole = sum(milliseconds(lambda: run_once(client)) for _ in range(runs)) / runs
        after = _seconds(server)
    spent = {stage: (after[stage] - before.get(stage, 0)) * 1000 / runs for stage in STAGES}
    figures = [Figure("whole run, mean", whole, "ms", runs)]
    figures += [Figure(f"{stage}, mean", spent[stage], "ms", runs) for stage in STAGES]
    figures.append(Figure("the rest, mean", whole - sum(spent.values()), "ms", runs))
    return figures


def _seconds(server: Server) -> dict[str, float]:
    connection = http.client.HTTPConnection(server.address.removeprefix("http://"))
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return {stage: float(seconds) for stage, seconds in STAGE.findall(text)}
