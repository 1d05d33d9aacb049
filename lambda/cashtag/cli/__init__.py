"""The command line: `cashtag --help`. One module per group of commands; errors become one line.

Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import errno
import os
import sys

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}  # the disk behind a `>`


def main() -> None:
    """Run a command and end with its exit code; an error on purpose is one line on stderr.

    Whatever else is raised ends in a traceback, in which no secret is to be read.
    """
    from cashtag.errors import CashtagError, StoreError
    from cashtag.redaction import guard, redacted

    guard()
    # Arrow's own pool keeps what it frees, some 20 MB of a run that should fit beside others.
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        from cashtag.cli.app import app

        try:
            app()
        finally:
            sys.stdout.flush()  # what cannot be written is told now, not while Python ends
    except CashtagError as error:
        print(f"error: {redacted(str(error))}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except BrokenPipeError:
        # The reader of a pipe went away (`cashtag sql … | head`): nothing to say, nothing to flush.
        _drop_output()
        raise SystemExit(0) from None
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _drop_output()
        print(
            f"error: cannot write what the command prints: {error.strerror}; free space, then run "
            "it again",
            file=sys.stderr,
        )
        raise SystemExit(StoreError.exit_code) from None
    except KeyboardInterrupt:
        print("stopped; run the command again to go on", file=sys.stderr)
        raise SystemExit(130) from None


def _drop_output() -> None:
    """Send what is still to be flushed nowhere: Python would fail at it again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
