"""The text of a post: a phrase chosen by persona, mood, news and the day's move, then made human."""

from __future__ import annotations

import re
from random import Random

from companies import Company
from events import Event
from figures import Figures, Tape, plain
from grammar import RULES, blocks, capitalised, expand
from mood import Mood
from voices import Account, Persona

BULL, BEAR, NEUTRAL = blocks("bull"), blocks("bear"), blocks("neutral")
LISTS, SPAM, FOREIGN = blocks("lists"), blocks("spam"), blocks("foreign")
STORIES, OFFICIAL = blocks("events"), blocks("official")
VIEWS = {1: BULL, -1: BEAR, 0: NEUTRAL}

# Styles that have no view, and what their users write when they have one; and the other way round.
WITH_VIEW = {"question": "retail", "data": "quant", "news": "thesis", "newbie": "retail"}
WITHOUT_VIEW = {"thesis": "question", "retail": "question"}
# Symbols that are no companies: their own block most of the time.
OWN_BLOCK = {"coin": 0.62, "index": 0.6, "test": 0.6}
OTHER_BLOCKS = {
    "coin": ("chart", "pithy", "meme", "chart"),
    "index": ("chart", "options", "pithy", "position"),
    "test": ("pithy", "meme", "chart"),
}
MOVE = 0.012  # a day people remark on
# Words that do not fit the hour.
_ODD = {
    "weekend": re.compile(r"\b(today|midday|open|bell|this morning|so far|premarket|tonight|halted)\b", re.I),
    "pre": re.compile(r"\b(midday|so far|after hours|tonight|sunday|saturday|weekend)\b", re.I),
    "open": re.compile(r"\b(after hours|tonight|premarket|sunday|saturday|weekend)\b", re.I),
    "after": re.compile(r"\b(midday|at the open|premarket|sunday|saturday|weekend)\b", re.I),
}  # fmt: skip
_SENTENCE = re.compile(r"(?<=[a-z0-9%)][.!?] )[a-z]")
SELDOM_TAILED = ("newsbot", "foreign", "influencer", "newbie")


def view(rng: Random, level: float, bias: float) -> int:
    """Return 1, 0 or -1: what somebody thinks in a crowd of this mood."""
    level = max(-0.97, min(0.97, level + bias * (1 - 0.6 * abs(level))))
    if level >= 0:
        positive, negative = 0.31 + 0.55 * level, 0.25 * (1 - level) ** 1.6
    else:
        positive, negative = 0.31 * (1 + level) ** 1.6, 0.25 - 0.61 * level
    draw = rng.random()
    return 1 if draw < positive else -1 if draw < positive + negative else 0


def _fitting(rng: Random, phrases: tuple[str, ...], figures: Figures, side: int = 0) -> str:
    """Return a phrase that fits the hour: no "today" on a Sunday, no move that has not happened.

    With `side` a phrase may state the day's move only when the move goes that way.
    """
    for _ in range(40):
        phrase = rng.choice(phrases)
        moved = not side or "{PCT}" not in phrase or side * figures.moment.move > 0.008
        if moved and not _ODD[figures.moment.part].search(phrase):
            break
    return phrase


def _story(rng: Random, mood: Mood, figures: Figures, opinion: int, facts: bool) -> str:
    story = mood.story
    assert story is not None
    side = 1 if story.mood > 0 else -1
    part = {0: "ask", side: "side"}.get(opinion, "other")
    part = "head" if facts else part
    return _fitting(rng, STORIES[f"{story.kind} {part}"], figures, side)


def _phrase(
    rng: Random, company: Company, persona: Persona, mood: Mood, figures: Figures, opinion: int
) -> tuple[str, int]:
    """Return the phrase a persona uses for its opinion, and the view that the phrase has."""
    style = rng.choices(list(persona.styles), list(persona.styles.values()))[0]
    block = VIEWS[opinion]
    if mood.story is not None and rng.random() < 0.66 * mood.heat:
        facts = style == "news" or rng.random() < 0.06
        return _story(rng, mood, figures, opinion, facts), 0 if facts else opinion
    if company.kind in OWN_BLOCK:
        own = rng.random() < OWN_BLOCK[company.kind]
        style = company.kind if own else rng.choice(OTHER_BLOCKS[company.kind])
    elif opinion and style in WITH_VIEW:
        if rng.random() < 0.45 * (1 - mood.heat):
            return _fitting(rng, NEUTRAL[style], figures), 0
        style = WITH_VIEW[style]
    elif not opinion:
        style = WITHOUT_VIEW.get(style, style)
    move = figures.moment.move
    if figures.moment.part in ("open", "after") and abs(move) > MOVE and rng.random() < 0.22:
        style = "up" if move > 0 else "down"
        return _fitting(rng, block[style], figures), opinion
    return _fitting(rng, block.get(style) or block["pithy"], figures), opinion


def _list(rng: Random, figures: Figures, opinion: int) -> tuple[str, int]:
    if opinion and rng.random() < 0.55:
        return _fitting(rng, LISTS["bull" if opinion > 0 else "bear"], figures), opinion
    kind = rng.choices(("watch", "movers", "calendar", "portfolio", "data"), (38, 24, 8, 18, 12))[0]
    return _fitting(rng, LISTS[kind], figures), 0


def _typo(rng: Random, text: str) -> str:
    words = text.split(" ")
    at = [i for i, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    if at:
        i = rng.choice(at)
        word, k = words[i], rng.randrange(1, len(words[i]) - 2)
        how = rng.randrange(3)
        if how == 0:
            words[i] = word[:k] + word[k + 1] + word[k] + word[k + 2 :]
        elif how == 1:
            words[i] = word[:k] + word[k + 1 :]
        else:
            words[i] = word[:k] + word[k] + word[k:]
    return " ".join(words)


def _dressed(
    rng: Random, text: str, persona: Persona, company: Company, figures: Figures, opinion: int
) -> str:
    """Return the text with what people put around it: greetings, closers, emoji, tags, links."""
    part = figures.moment.part
    mood = {1: "bull", -1: "bear", 0: "neutral"}[opinion]
    name = persona.name
    if name not in ("newsbot", "foreign", "stuffer", "promo"):
        if rng.random() < 0.20:
            closer = rng.choice(RULES[f"close_{mood}"])
            joint = "\n" if rng.random() < 0.22 else " " if text[-1] in ".!?" else ". "
            text = text + joint + closer
        if rng.random() < 0.09:
            text = rng.choice(RULES[f"hello_{part}"]) + text
            text = expand(rng, text, figures)
        if name in ("retail", "meme", "newbie") and rng.random() < 0.2:
            text = text.lower()
        elif name in ("retail", "meme", "permabull") and rng.random() < 0.05:
            text = text.upper()
        else:
            text = _SENTENCE.sub(lambda letter: letter.group().upper(), capitalised(text))
    if rng.random() < persona.typos:
        text = _typo(rng, text)
    if rng.random() < persona.emoji and text[-1] < "\u2190":
        text += " " + rng.choice(RULES[f"emoji_{mood}"])
    if rng.random() < (0.3 if name == "lister" else 0.07):
        tags = RULES["tag_general"] + (RULES["tag_tech"] if company.kind == "company" else ())
        joint = "\n" if rng.random() < 0.3 else " "
        text += joint + " ".join(rng.sample(tags, rng.choice((1, 1, 2, 3))))
    tags = text.count("$")
    if name not in ("lister", "stuffer", "promo"):
        draw = rng.random() * (2.4 if name in SELDOM_TAILED else 1.0)
        n = rng.choice((3, 3, 4, 5)) if draw < 0.31 else rng.choice((1, 1, 2)) if draw < 0.40 else 0
        tail = [tag for tag in figures.crowd(n + 1, near=True) if tag not in text.upper()][:n]
        if tail and tags < 5:
            text += ("\n" if rng.random() < 0.25 else " ") + " ".join(tail)
        if rng.random() < (0.10 if name != "influencer" else 0.2) and "LINK" not in figures.drawn:
            text += " " + figures["LINK"]
    return text


def official(rng: Random, company: Company, figures: Figures) -> str:
    """Return a bland notice under a handle of the watchlist. Invented: nobody said it."""
    return expand(rng, rng.choice(OFFICIAL[company.official or ""]), figures)


def write(
    rng: Random,
    company: Company,
    account: Account,
    persona: Persona,
    mood: Mood,
    figures: Figures,
) -> str:
    """Return the text of one post, before entities are escaped."""
    opinion = view(rng, mood.level, persona.bias)
    match persona.name:
        case "foreign":
            mood_name = {1: "bull", -1: "bear", 0: "neutral"}[opinion]
            phrase = rng.choice(FOREIGN[f"{account.lang} {mood_name}"])
        case "newsbot":
            if mood.story is not None and rng.random() < 0.6 * mood.heat:
                phrase = _story(rng, mood, figures, 0, True)
            else:
                style = "newsbot" if rng.random() < 0.75 else "news"
                phrase = rng.choice(SPAM["newsbot"] if style == "newsbot" else NEUTRAL["news"])
            opinion = 0
        case "stuffer":
            figures.size, phrase = rng.choice((6, 7, 8, 9, 10, 12, 14)), rng.choice(SPAM["stuff"])
            opinion = 0
        case "promo":
            figures.size, phrase = rng.choice((4, 5, 6, 8, 10)), rng.choice(SPAM["promo"])
            opinion = 1
        case "lister":
            phrase, opinion = _list(rng, figures, opinion)
        case _:
            phrase, opinion = _phrase(rng, company, persona, mood, figures, opinion)
    text = expand(rng, phrase, figures)
    return _dressed(rng, text, persona, company, figures, opinion)


def with_facts(figures: Figures, mood: Mood, tape: Tape) -> None:
    """Put the shared figures of the event people talk about into the slots of a post."""
    if isinstance(mood.story, Event):
        before = tape.at(mood.story.start).price
        facts = dict(mood.story.facts)
        figures.drawn["PTN"] = plain(
            round(before * float(facts.pop("TARGET")), 0 if before > 20 else 1)
        )
        figures.drawn["PTO"] = plain(
            round(before * float(facts.pop("OLDTARGET")), 0 if before > 20 else 1)
        )
        figures.drawn.update(facts)
