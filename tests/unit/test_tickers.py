"""Which ticker a text names, by hand and by twitter-text's own conformance file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cashtag import settings, tickers
from cashtag.errors import SettingsError

SHARED = Path(os.environ.get("CASHTAG_SHARED", Path(__file__).resolve().parents[3] / "shared"))
CONFORMANCE = SHARED / "data" / "twitter-text" / "extract.yml"


def loaded(**overrides: Any) -> settings.Settings:
    return settings.load(
        environ={}, overrides={k.replace("__", "."): v for k, v in overrides.items()}
    )


SOUND = loaded()
WORDS = tickers.vocabulary(SOUND)


@pytest.mark.shared
@pytest.mark.skipif(not CONFORMANCE.exists(), reason="twitter-text's conformance file is not here")
def test_every_cashtag_case_of_twitter_text_is_extracted_alike() -> None:
    cases = yaml.safe_load(CONFORMANCE.read_text(encoding="utf-8"))["tests"]
    assert len(cases["cashtags"]) >= 8
    for case in cases["cashtags"]:
        assert tickers.cashtags(case["text"]) == case["expected"], case["description"]
    for case in cases["cashtags_with_indices"]:
        assert tickers.cashtags(case["text"]) == [one["cashtag"] for one in case["expected"]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("$NVDA and $AMD", ["NVDA", "AMD"]),
        ("$nvda", ["NVDA"]),  # case is the writer's
        ("$AAPL.", ["AAPL"]),  # a full stop is punctuation
        ("$BRK.B, $BRK_B", ["BRK.B"]),  # one class of shares, two spellings
        ("$BRK.B", ["BRK.B"]),  # the longest wins: not BRK
        ("$FB $META", ["META"]),  # an alias, and what it stands for
        ("$SQ", ["XYZ"]),
        ("$AAPL $TSLA $AAPL", ["AAPL", "TSLA"]),  # distinct, in order
        ("costs $5 or $1.5K", []),
        ("US$AAPL", []),  # not after a letter
        ("($AAPL)", []),  # twitter-text wants space before
        ("$TOOLONGNAME", []),
        ("\u200f$AAPL", ["AAPL"]),  # a direction mark is no letter
        ("$AAPL\n$TSLA", ["AAPL", "TSLA"]),
        ("", []),
    ],
)
def test_cashtags_become_distinct_symbols(text: str, found: list[str]) -> None:
    assert WORDS.cashtags(text) == found


@given(st.lists(st.text(st.sampled_from("$AbZ._ 1é(🚀")), max_size=6))
def test_many_texts_at_once_give_what_each_gives(texts: list[str]) -> None:
    assert WORDS.cashtags_of(texts) == [WORDS.cashtags(text) for text in texts]


@pytest.mark.parametrize(
    ("ticker", "text", "named"),
    [
        ("GOOG", "he said so", False),  # "AI" is inside "said"
        ("GOOG", "AI is here", True),
        ("GOOG", "(AI)", True),
        ("GOOG", "ai is here", False),  # an acronym of two letters wants its capitals
        ("GOOG", "google it", True),  # longer keywords do not
        ("GOOG", "$AI reported", False),  # somebody else's cashtag
        ("GOOG", "ＡＩ", False),
        ("META", "VR headsets", True),
        ("META", "vr6 engine", False),
        ("NVDA", "the AI chip war", True),
        ("NVDA", "the AI-chip war", True),
        ("NVDA", "the AI chips", False),  # a word is whole
        ("NVDA", "AI and a chip", False),
        ("NVDA", "GPUs", False),
        ("NVDA", "NVIDIAの決算", True),  # Japanese puts no space beside a name
        ("NVDA", "今日の$NVDA", True),
        ("TSLA", "Teslaé", False),  # é is a letter
        ("TSLA", "#Tesla!", True),
        ("TSLA", "Tesla's", True),
        ("AAPL", "see https://example.org/Apple/AAPL", False),  # an address is no text
        ("AAPL", "($AAPL)", True),  # to a reader, if not to Twitter
        ("AAPL", "$AAPL.Next quarter", True),
        ("AAPL", "$AAPL.TO", False),  # another listing
        ("T", "($T) yields", True),
        ("T", "BE$T deal", False),
        ("T", "T is for telephone", False),  # a bare letter is no symbol
        ("XOM", "XOM beats", True),
        ("XOM", "xom beats", False),  # bare symbols want their capitals
        ("XOM", "XOMA beats", False),
        ("META", "FB is up", False),  # two letters, even of an alias, are too short
        ("META", "(FB) ($FB)", True),
        ("BRK.B", "BRK.B fell", True),
        ("BRK", "BRK.B fell", False),
        ("^VIX", "^VIX VIX", False),  # an index has no cashtag
    ],
)
def test_names_beside_cashtags(ticker: str, text: str, named: bool) -> None:
    assert WORDS.names(ticker, text) is named


@pytest.mark.parametrize("word", ["ON", "ARE", "GO", "CAN", "ALL", "IT"])
def test_common_words_count_only_with_a_dollar_sign(word: str) -> None:
    assert not WORDS.names(word, f"they {word} know")
    assert not WORDS.names(word, f"they {word.lower()} know")
    assert WORDS.cashtags(f"${word} beats") == [word]


def test_a_common_word_is_no_keyword_either() -> None:
    words = tickers.vocabulary(loaded(watchlist__stocks__CAN={"keywords": ["CAN", "Canaan"]}))
    assert not words.names("CAN", "you can")
    assert words.names("CAN", "Canaan reports")


def test_a_company_is_named_without_its_legal_form() -> None:
    own = loaded(watchlist__stocks__KO={"name": "The Coca-Cola Company, Inc."})
    words = tickers.vocabulary(own)
    assert words.names_company("KO", "The Coca-Cola bottler")
    assert not words.names_company("KO", "a company")
    assert not words.names_company("MRK", "no name is known")


def test_mentioned_are_all_cashtags_and_the_candidates_that_are_named() -> None:
    found = WORDS.mentioned("Nvidia and $AMD against ORCL", ["NVDA", "ORCL", "TSLA"])
    assert found == ["AMD", "NVDA", "ORCL"]


def test_aliases_are_followed_to_their_end() -> None:
    chain = loaded(tickers__aliases={"FB": "META", "OLD": "FB"})
    assert tickers.canonical(chain, "old") == "META"


def test_aliases_in_a_circle_are_refused_by_name() -> None:
    circle = loaded(tickers__aliases={"AA": "BB", "BB": "AA"})
    with pytest.raises(SettingsError, match=r"tickers\.aliases.*AA"):
        tickers.vocabulary(circle)


@pytest.mark.parametrize(
    ("ticker", "tradable", "why"),
    [
        ("NVDA", True, "a listed stock"),
        ("FB", True, "a listed stock (as META)"),
        ("ATVI", False, "delisted"),
        ("BTC", False, "not an equity"),
        ("BTC.X", False, "not an equity"),
        ("DOGE.X", False, "a crypto pair"),
        ("SPY", False, "an exchange-traded fund: followed, not traded"),
        ("^VIX", False, "^VIX is no stock symbol"),
    ],
)
def test_what_may_be_traded_and_why(ticker: str, tradable: bool, why: str) -> None:
    assert tickers.tradability(SOUND, ticker) == (tradable, why)


def test_other_settings_have_another_vocabulary() -> None:
    other = loaded(tickers__aliases={"FB": "FB"})
    assert tickers.canonical(other, "FB") == "FB"
    assert tickers.canonical(SOUND, "FB") == "META"
    assert tickers.vocabulary(SOUND) is tickers.vocabulary(SOUND)


def test_importing_tickers_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    heavy = "[m for m in ('numpy', 'pyarrow', 'pandas', 'pydantic', 'orjson') if m in sys.modules]"
    code = f"import sys, cashtag.tickers; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
