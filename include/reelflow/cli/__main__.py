"""Where the ``reelflow`` script begins: Ctrl+C is heard before anything of it is loaded."""

from __future__ import annotations

import sys

from reelflow.cli.exit_codes import EXIT_INTERRUPTED


def main() -> None:
    """Run the command line; the entry point of the ``reelflow`` script."""
    try:
        from reelflow.cli.app import main as run_app

        run_app()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)  # noqa: T201 - what else prints is not loaded yet
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    main()
