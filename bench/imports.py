"""What DAG files and a hook cost to import.

Prints one JSON object a line and exits with 1 if a target is missed::

    python -m bench.imports [--rounds 5]

Each DAG file, and the folder with all of them, is parsed as the DAG processor does it, by Airflow's
DagBag in a process of its own that has imported Airflow; but nothing of ours, which the DAG
processor has (``reelflow_provider/preload.py``). Every optional DAG is set to be there: a file that
yields no DAG fails. What a bare `import airflow.sdk` takes stands beside it. The hook is imported
beside `airflow.sdk` alone, to tell its own modules from Airflow's.
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
DAGS = REPOSITORY / "dags"
PARSE_MAX_S = 0.5
#: Without these, the file of ``wake_on_s3_notifications`` imports nothing and yields no DAG.
OPTIONAL_DAGS = {
    "REELFLOW_STORAGE_URL": "s3://bench/reelflow",
    "REELFLOW_SQS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/bench",
}
#: What a task must not pay for when it imports a hook.
HEAVY = ("fastapi", "boto3", "PIL")

PARSE = """
import json, sys, time
started = time.perf_counter()
import airflow.sdk
airflow_s = time.perf_counter() - started
from airflow.dag_processing.dagbag import DagBag
started, cpu_started_s = time.perf_counter(), time.process_time()
bag = DagBag(dag_folder=sys.argv[1], safe_mode=False)
seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu_started_s
print(json.dumps({"airflow_s": airflow_s, "seconds": seconds, "cpu_s": cpu_s,
                  "dags": sorted(bag.dags), "errors": bag.import_errors}))
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
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes for each figure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reelflow-bench-") as folder:
        parsed = [*sorted(DAGS.glob("*.py")), DAGS]
        results = [parse_dags(path, Path(folder), options.rounds) for path in parsed]
        results.append(import_hook(Path(folder), options.rounds))
    for result in results:
        print(json.dumps(result))
    sys.exit(0 if all(result["ok"] for result in results) else 1)


def parse_dags(path: Path, airflow_home: Path, rounds: int) -> dict[str, Any]:
    """Parse a DAG file, or all of a folder, in fresh processes, after one that fills the caches."""
    answers = [_python(PARSE, path, airflow_home=airflow_home) for _ in range(rounds + 1)][1:]
    seconds = statistics.median(answer["seconds"] for answer in answers)
    return {
        "benchmark": "dag_parse",
        "path": str(path.relative_to(REPOSITORY)),
        "dags": answers[0]["dags"],
        "airflow_sdk_s": round(statistics.median(one["airflow_s"] for one in answers), 3),
        "seconds": round(seconds, 3),
        "cpu_s": round(statistics.median(answer["cpu_s"] for answer in answers), 3),
        "seconds_max": PARSE_MAX_S,
        "errors": answers[0]["errors"],
        "ok": seconds <= PARSE_MAX_S and bool(answers[0]["dags"]) and not answers[0]["errors"],
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
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            **OPTIONAL_DAGS,
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
