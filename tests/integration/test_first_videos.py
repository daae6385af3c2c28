"""Tasks of a real scheduler's process: the first video that one reads costs no loading of libav."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests import media_files

REPOSITORY = Path(__file__).parents[2]
DEADLINE_S = 120

#: Forks as a scheduler with the LocalExecutor does: a worker, which forks its task. The task
#: writes down who its parents are, what it started, and whether the video's cover was made.
SCHEDULER = """
import json, multiprocessing, os, sys
from pathlib import Path
from uuid import uuid4

import airflow.jobs.scheduler_job_runner
from airflow.jobs.job import Job
from airflow.sdk.execution_time.supervisor import WatchedSubprocess

def task():
    started = []
    sys.addaudithook(lambda event, _: started.append(event) if "Popen" in event else None)
    from reelflow.media.inspection import examine
    from reelflow.source import open_file
    with open_file(Path(sys.argv[1])) as source, examine(source, with_covers=True) as examination:
        told = {"width": examination.cover().width, "started": started}
    Path(sys.argv[2]).write_text(json.dumps(told))

def worker():
    WatchedSubprocess.start(target=task, id=uuid4())._process.wait(60)

Job()
forked = multiprocessing.Process(target=worker)
forked.start()
forked.join()
"""


def test_a_task_of_the_local_executor_starts_no_python_to_read_its_first_video(
    tmp_path: Path,
) -> None:
    told = tmp_path / "told.json"
    sources = os.pathsep.join(str(REPOSITORY / part) for part in ("", "include", "plugins"))
    done = subprocess.run(
        [sys.executable, "-c", SCHEDULER, str(media_files.h264_mp4()), str(told)],
        env={
            **os.environ,
            "PYTHONPATH": sources,
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        },
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(told.read_text()) == {"width": 640, "started": []}
