"""The SDK in a real child: cancellation, several calls at once, typed results, data providers."""

from __future__ import annotations

import signal
import time
import unittest
from collections.abc import Callable
from typing import Any

from .supervisor import Child, Outcome, Supervisor


def _source(body: str) -> dict[str, bytes]:
    return {"main.py": body.encode()}


class Platform:
    """Answers calls of a child in whatever order the test wants."""

    def __init__(self, child: Child) -> None:
        self.child = child

    def next_call(self) -> dict[str, Any]:
        """The next call."""
        return self.next("call")

    def next(self, kind: str) -> dict[str, Any]:
        """The next frame of a kind; others are passed over."""
        while (frame := self.child.receive()) is not None:
            if frame["type"] == kind:
                return frame
        raise AssertionError(f"the child has gone without a {kind}")

    def reply(self, call: dict[str, Any], result: Any) -> None:
        """Answer a call."""
        self.child.send({"type": "reply", "id": call["id"], "result": result})


class Run(unittest.TestCase):
    """Each test has one child of one zygote."""

    zygote: Supervisor

    @classmethod
    def setUpClass(cls) -> None:
        cls.zygote = Supervisor()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.zygote.__exit__()

    def run_source(self, body: str, answer: Callable[[str, Any], Any] | None = None) -> Outcome:
        """Run `main` of this module."""
        return self.zygote.run(_source(body), {}, answer=answer)

    def terminate(self, body: str) -> Outcome:
        """Run `main`, and send SIGTERM once it has printed."""
        child = self.zygote.start(_source(body), {})
        platform = Platform(child)
        platform.next("log")
        self.zygote.say({"op": "kill", "run": child.run, "signal": signal.SIGTERM})
        return self.zygote.finish(child, lambda method, arguments: {"version": 1})

    def error(self, outcome: Outcome) -> dict[str, Any]:
        """Why it failed."""
        assert outcome.error is not None, outcome.frames
        return outcome.error


class Ends(Run):
    """How a run can end."""

    def test_a_user_error_has_details_and_no_traceback(self) -> None:
        error = self.error(
            self.run_source(
                "from bifrost import UserError\n"
                "def main():\n    raise UserError('no such ticket', {'id': 7})\n"
            )
        )
        self.assertEqual(
            error,
            {
                "type": "UserError",
                "message": "no such ticket",
                "traceback": "",
                "details": {"id": 7},
            },
        )

    def test_the_traceback_has_no_frames_of_the_sdk(self) -> None:
        error = self.error(
            self.run_source("from bifrost import files\ndef main():\n    files.read('a')\n")
        )
        self.assertIn("line 3, in main", error["traceback"])
        self.assertNotIn("_both", error["traceback"])

    def test_sigterm_raises_cancelled_and_cleaning_up_can_use_the_sdk(self) -> None:
        outcome = self.terminate(
            "import time\nfrom bifrost import context, log, state\n"
            "def main():\n"
            "    print('up')\n"
            "    try:\n        time.sleep(60)\n"
            "    finally:\n        state.set('a', 1)\n        log.info(f'{context.cancelled}')\n"
        )
        self.assertEqual(self.error(outcome)["type"], "bifrost.Cancelled")
        calls = [frame["method"] for frame in outcome.frames if frame["type"] == "call"]
        self.assertEqual((calls, outcome.logs()), (["state.set"], ["True"]))

    def test_an_async_workflow_is_cancelled_as_a_task(self) -> None:
        outcome = self.terminate(
            "import asyncio\nfrom bifrost import log\n"
            "async def main():\n"
            "    print('up')\n"
            "    try:\n        await asyncio.sleep(60)\n"
            "    except asyncio.CancelledError:\n"
            "        await asyncio.sleep(0)\n        log.info('cleaned')\n        raise\n"
        )
        self.assertEqual(self.error(outcome)["type"], "bifrost.Cancelled")
        self.assertEqual(outcome.logs(), ["cleaned"])

    def test_a_handler_of_the_workflow_counts_and_it_can_look(self) -> None:
        child = self.zygote.start(
            _source(
                "import signal, time\nfrom bifrost import context\n"
                "def main():\n"
                "    signal.signal(signal.SIGTERM, lambda *_: None)\n"
                "    print('up', context.cancelled)\n"
                "    while not context.cancelled:\n        time.sleep(0.01)\n"
                "    return 'seen'\n"
            ),
            {},
        )
        self.assertEqual(Platform(child).next("log")["message"], "up False")
        child.send({"type": "cancel"})
        self.zygote.say({"op": "kill", "run": child.run, "signal": signal.SIGTERM})
        self.assertEqual(self.zygote.finish(child).value, "seen")


class Calls(Run):
    """Several calls under way."""

    def test_threads_get_their_own_answers_in_any_order(self) -> None:
        child = self.zygote.start(
            _source(
                "import threading\nfrom bifrost import config\n"
                "def main():\n"
                "    found = {}\n"
                "    def ask(key): found[key] = config.get(key)\n"
                "    each = [threading.Thread(target=ask, args=(k,)) for k in 'abcdefgh']\n"
                "    [one.start() for one in each]\n    [one.join() for one in each]\n"
                "    return found\n"
            ),
            {},
        )
        platform = Platform(child)
        for call in reversed([platform.next_call() for _ in range(8)]):
            platform.reply(call, {"found": True, "value": call["arguments"]["key"].upper()})
        self.assertEqual(self.zygote.finish(child).value, {k: k.upper() for k in "abcdefgh"})

    def test_aio_does_not_hold_up_the_loop(self) -> None:
        child = self.zygote.start(
            _source(
                "import asyncio\nfrom bifrost import config, files\n"
                "async def main():\n"
                "    both = asyncio.gather(config.get.aio('a'), config.get.aio('b'))\n"
                "    for n in range(3):\n        await asyncio.sleep(0)\n        print(n)\n"
                "    try:\n        await files.read.aio('x')\n"
                "    except FileNotFoundError as error:\n"
                "        return [*await both, str(error)]\n"
            ),
            {},
        )
        platform = Platform(child)
        first, second = platform.next_call(), platform.next_call()
        third = platform.next_call()  # it went on while both are under way
        error = {"type": "FileNotFoundError", "message": "no x"}
        child.send({"type": "reply", "id": third["id"], "error": error})
        for call in (second, first):
            platform.reply(call, {"found": True, "value": call["arguments"]["key"]})
        self.assertEqual(self.zygote.finish(child).value, ["a", "b", "no x"])

    def test_an_interrupted_call_does_not_keep_others_from_their_answers(self) -> None:
        child = self.zygote.start(
            _source(
                "import threading\nfrom bifrost import Cancelled, config\n"
                "def main():\n"
                "    found = []\n"
                "    other = threading.Thread(target=lambda: found.append(config.get('other')))\n"
                "    try:\n"
                "        other.start()\n        config.get('main')\n"
                "    except Cancelled:\n        other.join()\n        return found\n"
            ),
            {},
        )
        platform = Platform(child)
        calls = {each["arguments"]["key"]: each for each in [platform.next_call() for _ in "ab"]}
        child.send({"type": "cancel"})
        time.sleep(0.05)
        for key in ("main", "other"):
            platform.reply(calls[key], {"found": True, "value": key})
        self.assertEqual(self.zygote.finish(child).value, ["other"])

    def test_update_tries_again_when_somebody_was_faster(self) -> None:
        versions = iter([{"value": 1, "version": 1}, {"value": 5, "version": 2}])
        kept: list[Any] = []

        def answer(method: str, arguments: dict[str, Any]) -> Any:
            if method == "state.get":
                return next(versions)
            kept.append((arguments["value"], arguments["expected_version"]))
            if len(kept) == 1:
                raise Conflict("somebody was faster")
            return {"version": 3}

        outcome = self.run_source(
            "from bifrost import state\n"
            "def main():\n    return state.update('n', lambda n: (n or 0) + 1)\n",
            answer,
        )
        self.assertEqual((outcome.value, kept), (6, [(2, 1), (6, 2)]))

    def test_progress_is_told_at_once_and_at_the_end_and_not_each_time(self) -> None:
        outcome = self.run_source(
            "from bifrost import progress\n"
            "def main():\n    for n in range(10_000):\n        progress(n, 10_000, 'tickets')\n"
        )
        told = [frame for frame in outcome.frames if frame["type"] == "progress"]
        self.assertEqual((told[0]["done"], told[-1]["done"]), (0, 9_999))
        self.assertLess(len(told), 10)


class Conflict(Exception):
    """Travels as the SDK's."""


Conflict.__name__ = "bifrost.Conflict"


class Results(Run):
    """What people read."""

    def returned(self, body: str) -> tuple[Any, Any, list[tuple[str, Any]]]:
        """The value, its type, and the calls that were made."""
        calls: list[tuple[str, Any]] = []

        def answer(method: str, arguments: dict[str, Any]) -> Any:
            calls.append((method, arguments))
            return {"name": arguments.get("name"), "type": arguments.get("type"), "size": 3}

        source = f"from bifrost import results\ndef main():\n    return {body}\n"
        outcome = self.run_source(source, answer)
        self.assertIsNone(outcome.error)
        end = [frame for frame in outcome.frames if frame["type"] == "result"][0]
        return outcome.value, end.get("result_type"), calls

    def test_plain_values_have_no_type(self) -> None:
        self.assertEqual(self.returned("[1]"), ([1], None, []))

    def test_tables_and_markdown_stand_inside(self) -> None:
        value, kind, calls = self.returned("results.table([{'a': 1}, {'a': 2, 'b': None}])")
        self.assertEqual(value, {"columns": ["a", "b"], "rows": [[1, None], [2, None]]})
        self.assertEqual((kind, calls), ("application/vnd.bifrost.table+json", []))
        self.assertEqual(self.returned("results.markdown('# hi')"), ("# hi", "text/markdown", []))

    def test_large_text_becomes_a_file(self) -> None:
        value, kind, calls = self.returned("results.markdown('x' * 300_000)")
        self.assertEqual(kind, "text/markdown")
        self.assertEqual(value, {"file": "result.md", "type": "text/markdown", "size": 3})
        self.assertEqual([method for method, _ in calls], ["results.file"])

    def test_many_at_once_have_names_of_their_own(self) -> None:
        value, kind, calls = self.returned("[results.image(b'abc'), results.image(b'abc'), 7]")
        self.assertEqual(kind, "application/vnd.bifrost.results+json")
        names = [each["value"]["file"] for each in value[:2]]
        self.assertEqual(names, ["image.png", "image-2.png"])
        self.assertEqual(value[2], {"type": "application/json", "value": 7})
        self.assertEqual(calls[0][1]["content"], "YWJj")

    def test_a_provider_gets_the_inputs_it_takes(self) -> None:
        child = self.zygote.start(
            _source(
                "from bifrost import data_provider\n"
                "@data_provider\ndef main(region='eu'):\n"
                "    return [region, {'value': 2, 'label': 'two'}, {'value': 3}]\n"
            ),
            {},
            value={"region": "us", "other": 1},
            provider=True,
        )
        self.assertEqual(
            self.zygote.finish(child).value,
            [
                {"value": "us", "label": "us"},
                {"value": 2, "label": "two"},
                {"value": 3, "label": "3"},
            ],
        )


if __name__ == "__main__":
    unittest.main()
