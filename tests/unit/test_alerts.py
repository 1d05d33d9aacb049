"""Announcements: plain text everywhere, one object a message, a bounded rate, the mode in front."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from cashtag.alerts import Alerts, ConsoleNotifier, FileNotifier, plain
from cashtag.lake.disk import FolderStore
from cashtag.trade.digest import prefix

HOSTILE = "[bold red]buy[/] :rocket: \x1b[2J\x1b]0;owned\x07 \u202egnp.exe <script>"


class Collected:
    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def announce(self, subject: str, text: str) -> None:
        self.said.append((subject, text))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_plain_text() -> None:
    out = io.StringIO()
    ConsoleNotifier(out).announce("Subject", "line one\nline two\n")
    assert out.getvalue() == "Subject\n\nline one\nline two\n\n"


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_tweet_is_never_read_as_markup_or_as_a_command_to_the_terminal(
    stream: type[io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out = stream()
    ConsoleNotifier(out).announce("Subject", HOSTILE)
    said = out.getvalue()
    assert "[bold red]buy[/] :rocket:" in said
    assert "\x1b[2J" not in said
    assert "\x1b]" not in said
    assert "\x07" not in said
    assert "\u202e" not in said


def test_emoji_and_line_breaks_survive_cleaning() -> None:
    family = "👨‍👩‍👧 \u2764\ufe0f"  # joined by U+200D, coloured by a variation selector
    assert plain(f"{family}\n\tok") == f"{family}\n\tok"
    assert plain("a\rb\x00c\ud800") == "abc"  # a lone surrogate could not be encoded


def test_the_same_announcement_twice_is_one_object(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    for _ in range(2):
        FileNotifier(store).announce("[SIMULATED] Trade Alert: BUY NVDA", "text")
    FileNotifier(store).announce("[SIMULATED] Trade Alert: BUY NVDA", "another")
    keys = [info.key for info in store.list()]
    assert len(keys) == 2
    assert all(k.startswith("alerts/simulated-trade-alert-buy-nvda-") for k in keys)
    texts = {store.get(k).decode() for k in keys}
    assert "[SIMULATED] Trade Alert: BUY NVDA\n\ntext" in texts


def test_a_subject_cannot_leave_the_folder(tmp_path: Path) -> None:
    FileNotifier(FolderStore(tmp_path / "report")).announce("../../etc/x 🚀", "text")
    (info,) = FolderStore(tmp_path / "report").list()
    assert info.key.startswith("alerts/etc-x-")


def test_alerts_are_limited_within_an_hour_and_digests_are_not() -> None:
    now = 0.0
    sink = Collected()
    alerts = Alerts([sink], "[SIMULATED]", per_hour=2, clock=lambda: now)
    assert [alerts.alert("a", "x"), alerts.alert("b", "x"), alerts.alert("c", "x")] == [
        True, True, False,
    ]  # fmt: skip
    alerts.digest("d", "x")
    assert [s for s, _ in sink.said] == ["[SIMULATED] a", "[SIMULATED] b", "[SIMULATED] d"]
    assert "1 alerts were held back by alerts.per_hour" in sink.said[-1][1]
    now = 3600.0  # the first hour is over
    assert alerts.alert("e", "x")
    assert "held back" not in sink.said[-1][1]


def test_every_message_begins_with_its_mode() -> None:
    sink = Collected()
    alerts = Alerts([sink], prefix("live"), per_hour=9)
    alerts.alert("Trade Alert: BUY NVDA", "text")
    alerts.digest("[REAL] Digest", "[REAL] text")
    assert sink.said == [
        ("[REAL] Trade Alert: BUY NVDA", "[REAL] text"),
        ("[REAL] Digest", "[REAL] text"),
    ]
    assert [prefix(m) for m in ("simulated", "paper", "live")] == [
        "[SIMULATED]",
        "[PAPER]",
        "[REAL]",
    ]
