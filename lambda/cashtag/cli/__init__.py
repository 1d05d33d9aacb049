"""The command line: `cashtag --help`. One module per group of commands; errors become one line.

Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run a command and end with its exit code; an error on purpose is one line on stderr."""
    from cashtag.errors import CashtagError

    try:
        from cashtag.cli.app import app

        app()
    except CashtagError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        # The reader of a pipe went away (`cashtag sql … | head`): nothing to say, nothing to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except KeyboardInterrupt:
        print("stopped; run the command again to go on", file=sys.stderr)
        raise SystemExit(130) from None
