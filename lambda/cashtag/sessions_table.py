"""Makes the session table `sessions_xnys.csv` from the published XNYS calendar.

Run `python -m cashtag.sessions_table` (needs the `dev` extra: exchange_calendars). The table is
committed so that no run pays 0.7 s for computing a calendar, and so that a change of the
calendar's opinion about the past or future is a change that somebody reads.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

FIRST = date(2010, 1, 1)
LAST = date(2035, 12, 31)
TABLE = Path(__file__).with_name("sessions_xnys.csv")


def published() -> list[tuple[date, datetime, datetime]]:
    """Return (session, open, close) of XNYS from exchange_calendars, times UTC."""
    import exchange_calendars
    import pandas as pd

    calendar = exchange_calendars.get_calendar(
        "XNYS", start=pd.Timestamp(FIRST), end=pd.Timestamp(LAST)
    )
    schedule = calendar.schedule
    return [
        (session.date(), opens.to_pydatetime(), closes.to_pydatetime())
        for session, opens, closes in zip(
            schedule.index, schedule["open"], schedule["close"], strict=True
        )
    ]


def render() -> str:
    """Return the table's text: a header, then one line a session, times UTC."""
    lines = ["session,open_utc,close_utc"]
    lines += [f"{day},{opens:%H:%M},{closes:%H:%M}" for day, opens, closes in published()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(render(), encoding="ascii")
    print(f"{TABLE.name}: {len(render().splitlines()) - 1} sessions, {FIRST} to {LAST}")
