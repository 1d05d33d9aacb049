"""What goes out: mails and text messages by SNS, events by EventBridge, each once, none at a step's cost."""

from __future__ import annotations

import json
import string
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from functions_on_loopback import Functions
from hypothesis import given, settings
from hypothesis import strategies as st

from cashtag import alerts
from cashtag.errors import CloudError
from cashtag.operate import concluding

PRINTABLE = set(string.printable) - set("\t\n\r\x0b\x0c")


# ---------------------------------------------------------------- SNS


def test_a_mail_has_subject_and_text_and_a_text_message_the_subject(functions: Functions) -> None:
    sent: list[dict[str, Any]] = []
    notifier = alerts.SnsNotifier(functions.topic)
    notifier._client.meta.events.register(
        "before-parameter-build.sns.Publish", lambda params, **_: sent.append(dict(params))
    )
    notifier.announce("[SIMULATED] Trade Alert: BUY NVDA", "3 of 3 at $100.00\n")
    assert functions.mails() == [("[SIMULATED] Trade Alert: BUY NVDA", "3 of 3 at $100.00\n")]
    assert json.loads(sent[0]["Message"])["sms"] == "[SIMULATED] Trade Alert: BUY NVDA"


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_subject_becomes_one_that_sns_takes(text: str) -> None:
    subject = alerts.ascii_subject(text)
    assert len(subject) <= 100
    assert set(subject) <= PRINTABLE
    assert subject == subject.strip()


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("Déjà vu … done", "Deja vu ... done"),
        ("a\nb\tc\r\nd", "a b c d"),
        ("up 🚀 now", "up ? now"),
        ("\x1b[31mred", "[31mred"),
        ("x" * 120, "x" * 97 + "..."),
    ],
)
def test_a_subject_keeps_what_it_can(text: str, subject: str) -> None:
    assert alerts.ascii_subject(text) == subject


@pytest.mark.parametrize("character", ["€", '"', "a", "\n", "🚀"])
def test_a_text_that_is_too_long_is_cut_between_characters(
    functions: Functions, character: str
) -> None:
    whole = f"begin{character * 300_000}"
    alerts.SnsNotifier(functions.topic).announce("long", whole)
    ((_, text),) = functions.mails()
    assert whole.startswith(text)
    size = len(json.dumps(text, ensure_ascii=False).encode())
    assert 200_000 < size <= 262_144


def test_a_topic_that_is_gone_is_told_and_costs_nothing(functions: Functions) -> None:
    functions.sns.delete_topic(TopicArn=functions.topic)
    with pytest.raises(CloudError, match=r"cannot announce to arn:.* \(NotFound.*sns:Publish"):
        alerts.SnsNotifier(functions.topic).announce("a", "b")
    out = concluding.announcer(functions.env)
    out.digest("Digest", "text")
    (said,) = out.failed
    assert "cannot announce" in said
    # It was not announced, so it is not marked: the next time it goes out.
    assert [info.key for info in functions.env.lake.signals.list("_ANNOUNCED/")] == []


def test_the_same_text_goes_out_once_and_another_one_too(functions: Functions) -> None:
    for _ in range(3):
        concluding.announcer(functions.env).digest("Digest", "one")
    concluding.announcer(functions.env).digest("Digest", "two")
    assert [text for _, text in functions.mails()] == ["[SIMULATED] one", "[SIMULATED] two"]


# ---------------------------------------------------------------- EventBridge


def test_events_carry_source_type_and_detail(functions: Functions) -> None:
    details = [{"stock_symbol": f"T{n}", "confidence": None} for n in range(23)]
    alerts.EventBus("default").publish("TradingSignal", details)
    heard = functions.heard()
    assert {event["source"] for event in heard} == {"sentiment.trading"}
    assert {event["detail-type"] for event in heard} == {"TradingSignal"}
    assert sorted(event["detail"]["stock_symbol"] for event in heard) == sorted(
        str(one["stock_symbol"]) for one in details
    )


class Busy:
    """An event bus that leaves the entries of its first answers out, as it may."""

    def __init__(self, *answers: list[int]) -> None:
        self.answers, self.taken = list(answers), []
        self.requests = 0

    def take(self, entries: list[dict[str, str]]) -> dict[str, Any]:
        self.requests += 1
        refused = self.answers.pop(0) if self.answers else []
        told: list[dict[str, str]] = []
        for number, entry in enumerate(entries):
            if number in refused:
                told.append({"ErrorCode": "ThrottlingException", "ErrorMessage": "later"})
            else:
                self.taken.append(json.loads(entry["Detail"])["n"])
                told.append({"EventId": str(number)})
        return {"FailedEntryCount": len(refused), "Entries": told}


@pytest.fixture
def busy(functions: Functions, monkeypatch: pytest.MonkeyPatch) -> Iterator[Busy]:
    bus = Busy()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            data = json.dumps(bus.take(asked["Entries"])).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", f"http://127.0.0.1:{server.server_port}")
    yield bus
    server.shutdown()
    thread.join()
    server.server_close()


def test_entries_that_the_bus_left_out_are_sent_again(busy: Busy) -> None:
    busy.answers = [[0, 3], [1]]
    alerts.EventBus("default").publish("TradingSignal", [{"n": n} for n in range(12)])
    # Ten, of which 0 and 3 again, of which 3 again; then the last two.
    assert busy.taken == [1, 2, 4, 5, 6, 7, 8, 9, 0, 3, 10, 11]
    assert busy.requests == 4


def test_a_bus_that_never_takes_them_is_told(busy: Busy) -> None:
    busy.answers = [[0]] * 3
    with pytest.raises(CloudError, match=r"did not take 1 events \(ThrottlingException\)"):
        alerts.EventBus("default").publish("TradingSignal", [{"n": 0}, {"n": 1}])
    assert busy.requests == 3
