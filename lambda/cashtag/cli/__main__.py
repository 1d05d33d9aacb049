"""`python -m cashtag.cli`: the command line by the interpreter's path, as timers call it."""

from __future__ import annotations

from cashtag.cli import main

if __name__ == "__main__":
    main()
