"""The whole suite, as ``make test`` runs it: ``python -m tests [options of pytest]``.

Every run is made, and one that fails fails the whole. Two tests at a time: what starts processes
waits for them most of the time, and each pytest process has databases and a Redis of its own. What
measures speed comes last, alone.
"""

import argparse
import os
import subprocess
import sys

NOTHING_COLLECTED = 5
ORDINARY = "not stack and not browser and not alone"
# A file stays together, because its tests may share what is dear to make.
BY_FILE = ["-n2", "--dist=loadfile"]
# Few and long: whoever is free takes the next one.
ONE_BY_ONE = ["-n2", "--dist=load", "--maxschedchunk=1"]
RUNS: list[tuple[str, str, str, list[str]]] = [
    ("SQLite", "sqlite", ORDINARY, BY_FILE),
    ("PostgreSQL", "postgresql", ORDINARY, BY_FILE),
    ("real processes and browsers", "sqlite", "(stack or browser) and not alone", ONE_BY_ONE),
    ("measurements", "sqlite", "alone", []),
]


def run_suite(arguments: list[str]) -> int:
    """Make every run with these options; a run in which nothing matches them counts for nothing."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-m", dest="marked", default="")
    known, options = parser.parse_known_args(arguments)
    codes = []
    for title, database, marked, processes in RUNS:
        print(f"\n=== {title}", flush=True)
        selection = f"({marked}) and ({known.marked})" if known.marked else marked
        command = [sys.executable, "-m", "pytest", *processes, "-m", selection, *options]
        environment = os.environ | {"TEST_DATABASE": database}
        codes.append(subprocess.run(command, env=environment, check=False).returncode)
    collected = [code for code in codes if code != NOTHING_COLLECTED]
    return max(collected, key=abs) if collected else NOTHING_COLLECTED


if __name__ == "__main__":
    sys.exit(run_suite(sys.argv[1:]))
