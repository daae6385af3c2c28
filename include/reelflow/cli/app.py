"""The ``reelflow`` command: its groups, and how errors end it."""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import typer
from typer.core import TyperGroup

from reelflow.cli import accounts, db, key, keys, posts, quarantine, quotas
from reelflow.cli.doctor import doctor
from reelflow.cli.exit_codes import EXIT_ERROR, EXIT_INTERRUPTED
from reelflow.cli.inspect import inspect
from reelflow.cli.metrics import metrics
from reelflow.cli.plan import plan
from reelflow.cli.reconcile import reconcile
from reelflow.cli.screen import complain
from reelflow.cli.serve import serve
from reelflow.cli.submit import submit
from reelflow.cli.sweep import sweep
from reelflow.exceptions import ReelflowError

_FIRST_FREE: Final = 3  # file descriptors 0 to 2 are the standard streams


class SentenceOnError(TyperGroup):
    """A group whose commands end with one sentence on stderr when what they need is wrong."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error of ours or of the system becomes exit code 2, Ctrl+C 130."""
        try:
            return super().invoke(ctx)
        except ReelflowError as error:
            complain(str(error))
        except BrokenPipeError:  # the reader of our output has seen enough
            raise
        except OSError as error:
            complain(f"{error.filename or 'the system'}: {error.strerror or error}")
        except KeyboardInterrupt:
            complain("Interrupted.")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        raise typer.Exit(EXIT_ERROR)


app = typer.Typer(
    name="reelflow",
    cls=SentenceOnError,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    # A plain traceback for our own mistakes: the pretty one can show local variables, tokens too.
    pretty_exceptions_enable=False,
    epilog=(
        "Exit codes: 0 done; 1 the answer is no (inspect, submit: rejected, doctor: a problem,"
        " reconcile: a post needs a person, sweep: something could not be deleted);"
        " 2 nothing was done, and stderr says why in one sentence; 130 Ctrl+C."
    ),
)
app.add_typer(db.app, name="db")
app.add_typer(key.app, name="key")
app.add_typer(accounts.app, name="accounts")
app.add_typer(posts.app, name="posts")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(keys.app, name="keys")
app.add_typer(quotas.app, name="quotas")
app.command()(plan)
app.command()(metrics)
app.command()(reconcile)
app.command()(inspect)
app.command()(doctor)
app.command()(serve)
app.command()(submit)
app.command()(sweep)


@app.callback()
def reelflow() -> None:
    """Publish media to TikTok from Apache Airflow: look at posts, steer them, keep accounts."""


def main() -> None:
    """Run the command line."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a "?", not a crash half-way down a table.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app()


def _open_closed_streams() -> None:
    """Read from and print to nowhere where a stream was closed before we started (``>&-``).

    The next file that is opened would get the stream's number: the ledger would be printed into.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < _FIRST_FREE:
        pass
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
