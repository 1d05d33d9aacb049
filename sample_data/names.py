"""Invented handles and display names.

Handles are 16 to 20 characters long: a real one has at most 15, so none can be anybody's.
"""

from __future__ import annotations

from random import Random

LONGEST_REAL = 15
LONGEST = 20

_MOODS = (
    "quiet", "salty", "patient", "sleepy", "honest", "lucky", "stubborn", "hungry", "curious",
    "gentle", "rusty", "cosmic", "polite", "nervous", "mellow", "frugal", "brave", "dusty", "silent",
    "modest", "crooked", "eager", "grumpy", "humble", "jolly", "loyal", "noble", "plain", "rapid",
    "solid", "tidy", "velvet", "wild", "amber", "copper", "granite", "maple", "northern", "pacific",
)  # fmt: skip
_MARKET = (
    "gamma", "delta", "theta", "tape", "chart", "candle", "dip", "ticker", "alpha", "beta", "swing",
    "value", "margin", "dividend", "breakout", "options", "wick", "volume", "yield", "ledger",
    "pivot", "spread", "bid", "ask", "float", "strike", "trend", "macro", "quant", "hedge",
    "bull", "bear", "index", "penny", "option", "capital", "equity", "earnings", "futures", "vol",
)  # fmt: skip
_ANIMALS = (
    "otter", "walrus", "heron", "badger", "falcon", "moose", "lynx", "gecko", "panda", "marmot",
    "raven", "tapir", "bison", "ferret", "koala", "newt", "osprey", "puffin", "quail", "stoat",
    "turtle", "viper", "wombat", "yak", "zebra", "beagle", "corgi", "llama", "mantis", "pigeon",
)  # fmt: skip
_ROLES = (
    "trader", "watcher", "hunter", "reader", "keeper", "chaser", "student", "nerd", "desk", "notes",
    "club", "diary", "lab", "scout", "fan", "guy", "gal", "mom", "dad", "vet", "rookie", "dude",
)  # fmt: skip
_FIRST = (
    "Mira", "Otto", "Priya", "Lena", "Jonas", "Amara", "Theo", "Nadia", "Felix", "Ines", "Kofi",
    "Yuki", "Marta", "Emil", "Zara", "Hugo", "Lila", "Tariq", "Nora", "Pavel", "Rosa", "Sven",
    "Tessa", "Uma", "Viktor", "Wanda", "Xander", "Yara", "Zeke", "Anton", "Bella", "Cyrus", "Dario",
    "Elif", "Fiona", "Gus", "Hana", "Igor", "June", "Karim", "Luz", "Milo", "Nils", "Opal", "Pia",
)  # fmt: skip
_WIRES = ("Example", "Sample", "Synthetic", "Mock", "Placeholder", "Specimen", "Pretend")
_BOTS = ("StockWire", "TapeFeed", "MarketBot", "TickerNews", "TradeDesk", "AlertFeed", "MoversList")


def handle(rng: Random, taken: set[str], bot: bool = False) -> str:
    """Return a new handle that no real account can have, and remember it in `taken`."""
    while True:
        mood, market, animal, role = (rng.choice(x) for x in (_MOODS, _MARKET, _ANIMALS, _ROLES))
        style = rng.randrange(6)
        if bot:
            text = f"{rng.choice(_WIRES)}_{rng.choice(_BOTS)}{rng.choice(('', '_1', '24', 'HQ'))}"
        elif style == 0:
            text = f"{mood}_{market}_{animal}"
        elif style == 1:
            text = f"{mood.title()}{market.title()}{animal.title()}"
        elif style == 2:
            text = f"{market}{animal}{role}"
        elif style == 3:
            text = f"{rng.choice(_FIRST).lower()}_{market}_{role}"
        elif style == 4:
            text = f"The{mood.title()}{animal.title()}{role.title()}"
        else:
            text = f"{mood}{animal}{role}"
        if rng.random() < 0.35 or len(text) <= LONGEST_REAL:
            digits = max(2, LONGEST_REAL + 1 - len(text))
            text += "".join(rng.choices("0123456789", k=digits))
        if LONGEST_REAL < len(text) <= LONGEST and text.lower() not in taken:
            taken.add(text.lower())
            return text


def display_name(rng: Random, screen: str, persona: str) -> str:
    """Return a display name to go with a handle."""
    first = f"{rng.choice(_FIRST)} {rng.choice('ABCDEFGHIJKLMNOPRSTVWZ')}."
    market, animal = rng.choice(_MARKET).title(), rng.choice(_ANIMALS).title()
    match persona:
        case "newsbot" | "stuffer":
            return screen.replace("_", " ")
        case "promo":
            return rng.choice(
                (
                    f"{market} Alerts 🔥",
                    f"{market} VIP",
                    f"{first} | free room",
                    f"💰 {market} Calls 💰",
                )
            )
        case "meme":
            return rng.choice(
                (f"{animal} 💎🙌", f"{market} ape 🦍", f"{animal} to the moon 🚀", animal.lower())
            )
        case "influencer":
            return rng.choice((first, f"{first} 📈", f"{market} Letter", f"The {market} {animal}"))
        case _:
            return rng.choice(
                (
                    first,
                    first,
                    f"{market} {animal}",
                    f"{first} | {market.lower()}s",
                    f"{animal} {market.lower()}",
                    screen,
                )
            )
