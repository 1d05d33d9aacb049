"""Deliveries as AWS makes them: at least once, retried, then to where failures go.

Every function has a queue and as many workers as may run at once. What a function writes comes
back through `put` and `events` and is delivered while it still runs, as in the cloud. Time is
what the test says it is: nothing here waits for a clock.
"""

from __future__ import annotations

import json
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aws_gateway import Gateway
from aws_requests import Call
from lambda_functions import Function
from lambda_sandbox import Outcome
from stack_wiring import Delivery, Put, Wiring


@dataclass(frozen=True)
class Entry:
    """One attempt at a delivery: what a person reads, and what tests look at."""

    at: datetime
    delivery: Delivery
    function: str
    attempt: int
    outcome: Outcome


@dataclass(frozen=True)
class Message:
    """What went to a queue, a topic or a log in the name of the platform."""

    target: str
    body: Any


@dataclass
class Retries:
    """How a function's asynchronous invocations are retried, and where failures go."""

    attempts: int = 3
    destination: str | None = None
    dead_letters: str | None = None


class Dispatcher:
    """Delivers. `copies` of every event, in random order with a `seed`; `hold` keeps some back.

    `failed` is called with (queue ARN, message body) for what exhausted its retries.
    """

    def __init__(
        self,
        wiring: Wiring,
        functions: dict[str, Function],
        gateway: Gateway,
        now: datetime,
        failed: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.wiring, self.functions, self.gateway = wiring, functions, gateway
        self.began = self.now = now
        self.failed = failed
        self.copies = 1
        self.seed: random.Random | None = None
        self.hold: Callable[[Delivery], bool] = lambda _: False
        self.held: list[Delivery] = []
        self.timeout: dict[str, float] = {}
        """Seconds after which a function is ended, where the test says so; by logical id."""
        self.journal: list[Entry] = []
        self.messages: list[Message] = []
        self.puts: list[tuple[datetime, Put]] = []
        self.bus: list[tuple[datetime, str, dict[str, Any]]] = []
        self.due: list[tuple[datetime, str]] = []
        self.tell: Callable[[Entry], None] = lambda _: None
        self._by_arn = {f.definition.arn: logical for logical, f in functions.items()}
        self._retries = {logical: self._configured(logical) for logical in functions}
        self._queues: dict[str, deque[Delivery]] = {logical: deque() for logical in functions}
        self._outstanding = 0
        self._changed = threading.Condition()
        self._closing = False
        self._error: BaseException | None = None
        for logical, function in functions.items():
            for _ in range(function.width):
                threading.Thread(target=self._work, args=(logical,), daemon=True).start()

    # ------------------------------------------------------------ occurrences

    def put(self, put: Put) -> None:
        """An object was written."""
        self.puts.append((self.now, put))
        self.deliver(*self.wiring.on_put(put, self.now))

    def events(self, bus: str, event: dict[str, Any]) -> None:
        """An event was put on a bus."""
        self.bus.append((self.now, bus, event))
        self.deliver(*self.wiring.on_event(bus, event, self.now))

    def run_until(
        self, until: datetime, wanted: Callable[[datetime, str], bool] = lambda *_: True
    ) -> None:
        """Let the clock run: every schedule that is due and `wanted`, one after the other."""
        for moment, logical in self.wiring.scheduled(self.now, until):
            if wanted(moment, logical):
                self.now = moment
                self.due.append((moment, logical))
                self.deliver(*self.wiring.on_schedule(logical, moment))
                self.idle()
        self.now = until

    def deliver(self, *deliveries: Delivery) -> None:
        """Queue deliveries; those to anything but a function are carried out at once."""
        for delivery in deliveries:
            logical = self._by_arn.get(delivery.target)
            if logical is None:
                self.messages.append(Message(delivery.target, delivery.event))
            elif self.hold(delivery):
                self.held.append(delivery)
            else:
                self._queue(logical, [delivery] * self.copies)

    def release(self, *, reverse: bool = False) -> None:
        """Deliver what was held back, late."""
        held, self.held = self.held, []
        for delivery in reversed(held) if reverse else held:
            self._queue(self._by_arn[delivery.target], [delivery] * self.copies)

    def idle(self, seconds: float = 240.0) -> None:
        """Wait until nothing is queued and nothing runs."""
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._outstanding == 0 or self._error is not None, seconds
            )
        if self._error is not None:
            raise self._error
        if not done:
            raise TimeoutError(f"{self._outstanding} deliveries are still on their way")

    def close(self) -> None:
        """Stop the workers; what is queued is not delivered."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    # ------------------------------------------------------------ inside

    def _queue(self, logical: str, deliveries: list[Delivery]) -> None:
        with self._changed:
            self._queues[logical].extend(deliveries)
            self._outstanding += len(deliveries)
            self._changed.notify_all()

    def _work(self, logical: str) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or bool(self._queues[logical]))
                if self._closing:
                    return
                queue = self._queues[logical]
                if self.seed is not None:
                    queue.rotate(-self.seed.randrange(len(queue)))
                delivery = queue.popleft()
            try:
                self._attempt(logical, delivery)
            except BaseException as error:  # told to whoever waits
                self._error = error
            finally:
                with self._changed:
                    self._outstanding -= 1
                    self._changed.notify_all()

    def _attempt(self, logical: str, delivery: Delivery) -> None:
        function, retries = self.functions[logical], self._retries[logical]
        for attempt in range(1, retries.attempts + 1):
            at = self.now
            outcome = function.invoke(delivery.event, self.timeout.get(logical))
            entry = Entry(at, delivery, logical, attempt, outcome)
            self.journal.append(entry)
            self.tell(entry)
            if outcome.ok:
                return
        self._give_up(logical, delivery, outcome, retries)

    def _give_up(
        self, logical: str, delivery: Delivery, outcome: Outcome, retries: Retries
    ) -> None:
        target = retries.destination or retries.dead_letters
        if target is None:
            self.messages.append(Message("lost", delivery.event))
            return
        role = self._role(logical)
        action = "sqs:SendMessage" if ":sqs:" in target else "sns:Publish"
        if not self.gateway.act(role, Call(action, target)):
            self.messages.append(Message("lost", delivery.event))
            return
        body = {
            "version": "1.0",
            "timestamp": f"{self.now:%Y-%m-%dT%H:%M:%S.000Z}",
            "requestContext": {
                "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
                "functionArn": f"{self.functions[logical].definition.arn}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": retries.attempts,
            },
            "requestPayload": delivery.event,
            "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
            "responsePayload": outcome.payload,
        }
        told = body if retries.destination else delivery.event
        self.messages.append(Message(target, told))
        self.failed(target, told)

    def _role(self, logical: str) -> str:
        stack = self.wiring.stack
        role = self.gateway.permissions.role_at(stack.properties(logical)["Role"])
        assert role is not None
        return role

    def _configured(self, logical: str) -> Retries:
        stack = self.wiring.stack
        name = stack.name_of(logical)
        retries = Retries()
        letters = stack.properties(logical).get("DeadLetterConfig", {})
        retries.dead_letters = letters.get("TargetArn")
        for _, config in stack.resources("AWS::Lambda::EventInvokeConfig"):
            if config["FunctionName"] in (name, stack.arn(logical)):
                retries.attempts = 1 + int(config.get("MaximumRetryAttempts", 2))
                on_failure = config.get("DestinationConfig", {}).get("OnFailure", {})
                retries.destination = on_failure.get("Destination")
        return retries


def event_of(entry: dict[str, Any], now: datetime, account: str, region: str) -> dict[str, Any]:
    """One entry of PutEvents as rules and targets see it."""
    return {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "source": entry["Source"],
        "detail-type": entry["DetailType"],
        "account": account,
        "time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": entry.get("Resources", []),
        "detail": json.loads(entry["Detail"]),
    }


@dataclass
class Inbox:
    """Messages published to topics, as their subscribers get them."""

    messages: list[tuple[str, str, str]] = field(default_factory=list)
    """(topic ARN, subject, text)."""
