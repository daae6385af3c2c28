"""``reelflow doctor``: whether everything that publishing needs is there, and how to mend it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Final

import typer

from reelflow.cli.findings import Finding, Status, run_check
from reelflow.cli.screen import console, plain, print_json

EXIT_PROBLEM: Final = 1
_STYLES: Final = {Status.OK: "green", Status.WARNING: "yellow", Status.PROBLEM: "bold red"}


def doctor(
    airflow_url: str | None = typer.Option(
        None,
        metavar="URL",
        envvar="AIRFLOW__API__BASE_URL",
        help="Airflow's address; its default http://localhost:8080 is tried without one.",
    ),
    plain_http: bool = typer.Option(
        False,
        "--plain-http",
        help="Send Airflow's token unencrypted to another machine, too.",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Check libraries, folders or bucket, ledger, key, accounts, engine, TikTok and Airflow.

    Everything is left as it is: in a bucket a small object is put and deleted again.

    Exit code 0: no problem, though there may be warnings. 1: at least one problem.
    """
    findings = list(_diagnose(airflow_url, plain_http=plain_http))
    problems = sum(finding.status is Status.PROBLEM for finding in findings)
    if as_json:
        print_json({"ok": not problems, "checks": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    if problems:
        raise typer.Exit(EXIT_PROBLEM)


def _diagnose(airflow_url: str | None, *, plain_http: bool) -> Iterator[Finding]:
    from reelflow.cli import (
        analysis_checks,
        machine_checks,
        network_checks,
        storage_checks,
        web_checks,
    )
    from reelflow.exceptions import ConfigurationError
    from reelflow.settings import Settings

    yield from run_check("libav", machine_checks.check_libav)
    yield from run_check("ffmpeg", machine_checks.check_ffmpeg)
    yield from run_check("C2PA", analysis_checks.check_c2pa)
    try:
        settings = Settings.load()
    except ConfigurationError as error:
        yield Finding("settings", Status.PROBLEM, str(error), "the checks that need them were left")
    else:
        for name, check in (
            ("data folder", machine_checks.check_data_folder),
            ("storage", storage_checks.check_storage),
            ("Fernet key", machine_checks.check_key),
            ("ledger", machine_checks.check_ledger),
        ):
            yield from run_check(name, partial(check, settings))
        detection = partial(analysis_checks.check_detection, settings, os.environ)
        yield from run_check("detection", detection)
        tiktok = partial(network_checks.check_tiktok, settings, os.environ)
        yield from run_check("TikTok", tiktok)
        yield from run_check("public address", partial(web_checks.check_public_url, settings))
        webhooks = partial(web_checks.check_webhook_secret, os.environ)
        yield from run_check("webhooks", webhooks)
        dag = partial(network_checks.check_dag, settings, airflow_url, plain_http=plain_http)
        yield from run_check("DAG", dag)
    yield from run_check("Airflow", partial(network_checks.check_airflow, airflow_url))


def _print(findings: Sequence[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        said = plain(finding.message)
        if finding.fix:
            said = Text.assemble(said, "\nfix: ", plain(finding.fix))
        style = _STYLES[finding.status]
        table.add_row(plain(finding.status, style=style), plain(finding.check), said)
    screen = console()
    screen.print(table)
    screen.print(", ".join(_count(findings, status) for status in Status) + ".", style="bold")


def _count(findings: Sequence[Finding], status: Status) -> str:
    count = sum(finding.status is status for finding in findings)
    return f"{count} {status}" if status is Status.OK or count == 1 else f"{count} {status}s"
