"""The keys that all of Alpaca's doubles take, and what they say to any other."""

from __future__ import annotations

from internet import Answer, Request, json_answer

KEY_ID, SECRET_KEY = "PLANTED-alpaca-key-id", "PLANTED-alpaca-secret-key"


def forbidden(request: Request) -> Answer | None:
    """The refusal of a request without the keys; None with them."""
    shown = (request.headers.get("apca-api-key-id"), request.headers.get("apca-api-secret-key"))
    return None if shown == (KEY_ID, SECRET_KEY) else json_answer({"message": "forbidden."}, 403)
