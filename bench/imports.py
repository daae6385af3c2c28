"""What a DAG file and a hook cost to import.

Prints one JSON object a line and exits with 1 if a target is missed::

    python -m bench.imports [--rounds 5]

The DAG file is parsed as the DAG processor does it: in a fresh process that has imported Airflow
already. The hook is imported beside `airflow.sdk` alone, to tell its own modules from Airflow's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
DAG_FILE = REPOSITORY / "dags" / "publish_to_tiktok.py"
PARSE_MAX_S = 1.0
#: What a task must not pay for when it imports a hook.
HEAVY = ("fastapi", "boto3", "PIL")

PARSE = """
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
started = time.perf_counter()
bag = DagBag(dag_folder=sys.argv[1], safe_mode=False)
print(json.dumps({"seconds": time.perf_counter() - started, "dags": sorted(bag.dags),
                  "errors": bag.import_errors}))
"""
IMPORT = """
import importlib, json, sys, time
started = time.perf_counter()
importlib.import_module("airflow.sdk")
airflow_s, before = time.perf_counter() - started, set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
seconds = time.perf_counter() - started - airflow_s
heavy = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps({"airflow_s": airflow_s, "seconds": seconds, "packages": sorted(heavy)}))
"""
HOOK = "reelflow_provider.hooks.tiktok"


def main() -> None:
    """Measure both and print them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes for each figure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reelflow-bench-") as folder:
        results = [
            parse_dag_file(Path(folder), options.rounds),
            import_hook(Path(folder), options.rounds),
        ]
    for result in results:
        print(json.dumps(result))
    sys.exit(0 if all(result["ok"] for result in results) else 1)


def parse_dag_file(airflow_home: Path, rounds: int) -> dict[str, Any]:
    """Parse the DAG file in fresh processes, after one that fills the caches."""
    answers = [_python(PARSE, DAG_FILE, airflow_home=airflow_home) for _ in range(rounds + 1)][1:]
    seconds = statistics.median(answer["seconds"] for answer in answers)
    return {
        "benchmark": "dag_parse",
        "dags": answers[0]["dags"],
        "seconds": round(seconds, 3),
        "seconds_max": PARSE_MAX_S,
        "errors": answers[0]["errors"],
        "ok": seconds <= PARSE_MAX_S and not answers[0]["errors"],
    }


def import_hook(airflow_home: Path, rounds: int) -> dict[str, Any]:
    """Import the hook in fresh processes, after one that fills the caches."""
    answers = [_python(IMPORT, HOOK, airflow_home=airflow_home) for _ in range(rounds + 1)][1:]
    heavy = sorted(set(HEAVY) & set(answers[0]["packages"]))
    return {
        "benchmark": "hook_import",
        "airflow_sdk_s": round(statistics.median(one["airflow_s"] for one in answers), 3),
        "seconds": round(statistics.median(one["seconds"] for one in answers), 3),
        "heavy": heavy,
        "ok": not heavy,
    }


def _python(code: str, *arguments: str | Path, airflow_home: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={
            **os.environ,
            "AIRFLOW_HOME": str(airflow_home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAG_FILE.parent),
        },
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"the measured process failed:\n{done.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    main()
