"""``python -m demo run|up|down``: the demo, and the same stack left running."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

import requests
import typer
from rich.console import Console

from demo.cases import ACCOUNTS, CASES, make_originals
from demo.environment import REPOSITORY, StackFolders
from demo.exceptions import StackError
from demo.processes import exit_on_signals
from demo.record import StackRecord
from demo.report import build_report, print_report
from demo.show import send_through
from demo.stack import Stack

FOLDER = REPOSITORY / ".demo"
RUN_FOLDER = FOLDER / "run"
UP_FOLDER = FOLDER / "up"
MEDIA_FOLDER = FOLDER / "media"
REPORT = FOLDER / "report.json"

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
# Without a terminal, Rich takes 80 columns, which the table does not fit in.
console = Console(width=None if sys.stdout.isatty() else 160)


@app.command()
def run() -> None:
    """Publish real videos through Airflow to the simulator, report, and stop everything."""
    started = time.monotonic()
    REPORT.unlink(missing_ok=True)
    _clear(RUN_FOLDER)
    with Stack(RUN_FOLDER) as stack:
        console.print("starting the simulator and Airflow")
        stack.start(ACCOUNTS)
        originals = make_originals(CASES, MEDIA_FOLDER)
        stack.wait_healthy()
        console.print(f"Airflow is healthy after {time.monotonic() - started:.0f} s")
        posts = send_through(stack, originals, console)
        received = stack.running_simulator().posts()
        stack.check_alive()
    report, problems = build_report(
        originals,
        posts=posts,
        received=received,
        home=stack.folders.reelflow_home,
        seconds=time.monotonic() - started,
    )
    report.write(REPORT)
    print_report(report, console)
    for problem in problems:
        console.print(f"not as expected: {problem}", style="red", markup=False)
    if problems:
        raise typer.Exit(1)
    console.print(
        f"Every outcome is the expected one; {REPORT.relative_to(REPOSITORY)} has it all."
    )


@app.command()
def up() -> None:
    """Start the stack and leave it running; if it runs already, say where."""
    record = StackRecord.read(UP_FOLDER)
    if record is None or not record.running():
        _clear(UP_FOLDER)
        with Stack(UP_FOLDER) as stack:
            stack.start(ACCOUNTS)
            stack.wait_healthy()
            record = stack.detach()
    dead = [one.name for one in record.processes if one not in record.running()]
    if dead:
        raise StackError(
            f"the stack runs, but not its {', '.join(dead)}: look into {UP_FOLDER / 'logs'}, "
            "then run `make down` and `make up`"
        )
    _introduce(record)


@app.command()
def down() -> None:
    """Stop what ``up`` started, and what an interrupted ``run`` left."""
    stopped: list[str] = []
    for folder in (UP_FOLDER, RUN_FOLDER):
        record = StackRecord.read(folder)
        stopped += record.stop() if record else []
    console.print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


def _clear(folder: Path) -> None:
    """Remove an earlier stack's folder, and stop what an interrupted command left in it."""
    record = StackRecord.read(folder)
    if record is not None:
        record.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _introduce(record: StackRecord) -> None:
    inbox = StackFolders(record.folder).inbox
    console.print(f"Airflow   {record.url}", highlight=False)
    console.print(f"user      {record.user}", highlight=False)
    console.print(f"password  {record.password}", highlight=False, markup=False)
    console.print(f"API       {record.web_url}", highlight=False, soft_wrap=True)
    console.print(f"API key   {record.api_key}", highlight=False, markup=False, soft_wrap=True)
    console.print("inbox     drop a video into one of", highlight=False)
    for account in ACCOUNTS:
        console.print(f"          {inbox / account}", highlight=False, soft_wrap=True)
    console.print("`make down` stops it; the next `make up` starts with an empty inbox and ledger.")


def main() -> None:
    """Run the command line; what it started ends with it."""
    exit_on_signals()
    try:
        app()
    except (StackError, requests.RequestException) as error:
        console.print(f"demo: {error}", style="red", markup=False, highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
