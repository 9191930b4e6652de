"""Runs a module with a wrong clock: ``faketime -f +10m python -m tests.wrong_clock MODULE``.

libfaketime 0.9.10 breaks clock_nanosleep(), which time.sleep() uses, when it is told to leave the
monotonic clock alone; and when it fakes that one too, waiting for a lock never ends.
"""

import runpy
import select
import sys
import time

WITHOUT_MONOTONIC = {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


def command_prefix(offset: str) -> list[str]:
    """Return the command, up to the module's name, that runs a module with a wrong clock.

    ``offset`` is as faketime reads it, such as ``+10m``.
    """
    return ["faketime", "-f", offset, sys.executable, "-m", "tests.wrong_clock"]


if __name__ == "__main__":
    time.sleep = _sleep
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
