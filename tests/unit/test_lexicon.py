"""What a trader reads in a post, and what the lexicon model must read in it too."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from cashtag.errors import CashtagError
from cashtag.sentiment import finance_words
from cashtag.sentiment.calibration import calibration
from cashtag.sentiment.lexicon import LexiconScorer

GOOD = [
    "$AAPL beats estimates on strong iPhone demand",
    "Nvidia tops Q3 expectations, raises full-year guidance",
    "$MSFT price target raised to $310 from $280 at Wedbush",
    "$AMD upgraded to Buy at Jefferies",
    "Piper initiates $CRM at Overweight",
    "Target hikes its dividend by 12%",
    "$XOM boosts buyback program to $10 billion",
    "FDA approves Gilead's new HIV drug, shares jump",
    "Phase 3 trial meets primary endpoint $SAVA",
    "Q3 loss narrows as costs fall $UBER",
    "Boeing wins $2.1B contract from the Air Force",
    "$TSLA to the moon 🚀🚀🚀",
    "buy the dip on $SPY folks",
    "loading up on more $PLTR here, this is a gift",
    "shorts are about to get squeezed $GME",
    "$GME short squeeze incoming",
    "diamond hands 💎🙌 $AMC",
    "my $NVDA calls are printing",
    "$BA breaking out above resistance",
    "$QQQ new all-time high",
    "bears are getting crushed today $SPY",
    "RIP bears $TSLA",
    "$DIS up 5% after earnings",
    "$NFLX +12% in premarket",
    "Stocks rally as trade deal hopes grow",
    "Jobless claims fall to lowest since 1969, stocks gain",
    "Fed cuts rates, Wall Street cheers",
    "golden cross on the daily $F",
    "way undervalued at these levels $INTC",
    "going long $SHOP here",
    "EPS of $1.20 vs $1.05 est. $KO",
    "revenue $5.3B, estimate $5.1B $NKE",
    "Comcast swings to profit on broadband growth",
    "Insiders buying $OXY again",
    "no brainer buy at this price $GOOG",
    "bull flag on $ROKU, ready to rip",
    "oversold bounce coming $BABA",
    "analysts turn bullish on Micron",
    "tax cuts boost corporate earnings, stocks climb",
    "$SQ gapping up, let's go!!!",
    "held support nicely, higher from here $AAPL",
    "better than expected guidance from $CSCO",
    "Kroger lifts 2021 outlook",
    "costs fall faster than expected at $GM",
    "$ZM added to S&P 500",
]
BAD = [
    "$INTC misses on revenue, guides lower",
    "Cisco cuts full-year outlook, shares slide",
    "$SNAP downgraded to Sell at MoffettNathanson",
    "PT cut to $12 from $18 at Barclays $WISH",
    "$BYND initiated at Underweight by JPMorgan",
    "GE slashes dividend to a penny",
    "$RIDE SEC probe widens, DOJ subpoena",
    "FDA rejects the drug; complete response letter $ACAD",
    "Trial fails to meet primary endpoint $BIIB",
    "Q2 loss widens, company burning cash $NKLA",
    "Hertz files for chapter 11 bankruptcy",
    "$AMC announces public offering of 11 million shares",
    "this is a sinking ship, get out now $GE",
    "bag holders everywhere $CLOV",
    "dead cat bounce, don't be fooled $BABA",
    "puts printing today $SNAP",
    "bought puts on $TSLA",
    "shorting $W here, way overvalued",
    "$SPY death cross, bear market is here",
    "$ROKU broke support, next stop lower",
    "$PTON down 8% after hours",
    "$COIN -3.2% on heavy volume",
    "Stocks fall as recession fears grow",
    "Shares of Peloton plunge on weak guidance",
    "Unemployment rises, stocks slump",
    "Fed raises rates, stocks tumble",
    "total scam, going to zero $NKLA",
    "bull trap, be careful $QQQ",
    "EPS of $0.80 vs $1.05 est. $KO",
    "revenue $4.9B, estimate $5.1B $NKE",
    "Macy's to close 125 stores, cut 2,000 jobs",
    "CEO steps down amid accounting irregularities",
    "profit warning from Samsung on chip demand",
    "costs rise and margins shrink at $FDX",
    "Class action lawsuit filed against $RIDE",
    "new 52-week low $T",
    "worse than expected quarter from $IBM",
    "rug pull, insiders dumping shares $SPCE",
    "drilling again 📉🩸 $BABA",
    "head and shoulders top on $ARKK",
    "sell the news $AAPL",
    "analysts cut price targets on Netflix",
    "reverse split announced, dilution coming $MULN",
    "stay away from this garbage $HMNY",
    "margin call time for $ARKK bulls",
]
QUIET = [
    "$AAPL to report earnings on Thursday after the close",
    "Disney declares $0.88 dividend",
    "Tesla earnings call transcript",
    "$MSFT short interest update",
    "The Dow Jones Industrial Average explained",
    "Best Buy to present at the Goldman Sachs conference",
    "$CVX interest expense in Q2",
    "Gross margin definition for beginning investors",
    "United Airlines shares: what you need to know",
    "$GS initiated at Neutral",
    "Vice president of investor relations at $KO to speak",
    "Credit card interest rates and your tax return",
    "Oil tanks and trust funds: a guide for investors",
    "conference call on Monday $V",
    "$LOW $CAT $FAST $HOPE $LOVE",
    "Fed meeting minutes due at 2pm",
    "holding company files its annual report $BRK.B",
    "put it on your watchlist $IBM",
    "What is free cash flow? $MSFT",
    "Stocks to watch this week: $AAPL $TSLA",
]


@pytest.fixture(scope="module")
def model() -> LexiconScorer:
    return LexiconScorer()


def label(model: LexiconScorer, text: str) -> str:
    return ("negative", "neutral", "positive")[int(model.score([text])[0].argmax())]


@pytest.mark.parametrize("text", GOOD)
def test_what_a_trader_likes_is_positive(model: LexiconScorer, text: str) -> None:
    assert label(model, text) == "positive", model.explain(text)


@pytest.mark.parametrize("text", BAD)
def test_what_a_trader_fears_is_negative(model: LexiconScorer, text: str) -> None:
    assert label(model, text) == "negative", model.explain(text)


@pytest.mark.parametrize("text", QUIET)
def test_what_says_nothing_about_a_price_is_neutral(model: LexiconScorer, text: str) -> None:
    assert label(model, text) == "neutral", model.explain(text)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("not selling my $TSLA", 1),
        ("$AAPL won't miss estimates", 1),
        ("don't sell $NVDA here", 1),
        ("never short $TSLA", 1),
        ("not worried about $AMD at all", 1),
        ("no longer bullish on $SNAP", -1),
        ("not buying $BYND here", -1),
        ("$GE is not going up anytime soon", -1),
        ("$IBM did not beat estimates", -1),
        ("I don't think $F will rally", -1),
        ("can't hold support $BA", -1),
        ("isn't bullish on $T", -1),
    ],
)
def test_a_negation_turns_a_market_phrase(model: LexiconScorer, text: str, sign: int) -> None:
    assert np.sign(model.compound(text)) == sign, model.explain(text)


@pytest.mark.parametrize(
    ("emoji", "sign"),
    [*((good, 1) for good in "🚀📈🐂💎🙌💰🟢"), *((bad, -1) for bad in "📉🐻🤡🩸💩🔻👎")],
)
def test_an_emoji_has_the_direction_that_traders_give_it(
    model: LexiconScorer, emoji: str, sign: int
) -> None:
    assert np.sign(model.compound(f"$TSLA {emoji}")) == sign


def test_more_rockets_are_stronger_but_a_wall_of_them_is_no_proof(model: LexiconScorer) -> None:
    one, three, forty = (model.compound("$GME " + "🚀" * n) for n in (1, 3, 40))
    assert one < three == forty


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("$NFLX price target to $450 from $400", 1),
        ("$NFLX price target to $400 from $450", -1),
        ("$T PT from $30 to $35", 1),
        ("$T PT from $35 to $30", -1),
        ("dividend to $0.52 from $0.50 $PEP", 1),
        ("$PEP Q2 EPS $1.72 vs. $1.60 estimate", 1),
        ("$PEP Q2 EPS $1.50 vs. $1.60 estimate", -1),
        ("$PEP revenue $16.2B, consensus $15.9B", 1),
        ("$PEP revenue $980M, consensus $1.1B", -1),  # 0.98 billion against 1.1
        ("$LYFT Q2 EPS ($0.20) vs. ($0.30) estimate", 1),  # a smaller loss
        ("$LYFT Q2 EPS -$0.40 vs. -$0.30 estimate", -1),
        ("$LYFT quarterly loss $0.20 vs. $0.30 estimate", 1),
        ("$UBER up 4%", 1),
        ("$UBER down 4%", -1),
        ("$UBER +4%", 1),
        ("$UBER -4%", -1),
        ("$UBER −4%", -1),  # a typographic minus
        ("$UBER ▲ 2.1%", 1),
        ("$UBER ▼ 2.1%", -1),
    ],
)
def test_numbers_are_read(model: LexiconScorer, text: str, sign: int) -> None:
    assert np.sign(model.compound(text)) == sign, model.explain(text)


@pytest.mark.parametrize(
    "text",
    ["$PEP EPS $1.60 vs. $1.60 estimate", "$UBER 4% of revenue", "yields between 2-3% $TLT"],
)
def test_numbers_without_a_direction_say_nothing(model: LexiconScorer, text: str) -> None:
    assert model.compound(text) == 0


def test_a_cost_that_falls_is_good_and_one_that_rises_is_bad(model: LexiconScorer) -> None:
    for cost in ("costs", "unemployment", "expenses", "losses", "defaults"):
        assert model.compound(f"$F {cost} fall") > 0 > model.compound(f"$F {cost} rise"), cost


def test_what_is_bad_for_bears_is_good_for_the_price(model: LexiconScorer) -> None:
    assert model.compound("stupid bears $SPY") > 0 > model.compound("stupid bulls $SPY")


def test_a_question_or_a_condition_weighs_less_than_a_claim(model: LexiconScorer) -> None:
    claim = model.compound("$NVDA will crash")
    assert claim < model.compound("$NVDA will crash?") < 0
    assert claim < model.compound("if $NVDA will crash I wait") < 0


def test_after_but_counts_more_than_before(model: LexiconScorer) -> None:
    assert model.compound("$BA earnings beat but guidance cut") < 0
    assert model.compound("$BA guidance cut but earnings beat") > 0


def test_cashtags_are_never_words(model: LexiconScorer) -> None:
    for tag in ("LOW", "CAT", "FAST", "HOPE", "LOVE", "FUN", "CUTE", "HUGE", "DUMB", "WINS"):
        assert model.compound(f"${tag}") == 0
        assert model.compound(f"${tag} rises") == model.compound("$IBM rises")


def test_addresses_and_mentions_are_not_scored(model: LexiconScorer) -> None:
    bare = model.compound("$IBM reports")
    assert model.compound("@HappyTrader @crash_guru $IBM reports") == bare
    assert model.compound("$IBM reports https://win.example/great-crash www.love.example") == bare


def test_hashtags_are_words(model: LexiconScorer) -> None:
    assert model.compound("$SPY #BuyTheDip") == model.compound("$SPY Buy The Dip") > 0


def test_market_words_leave_everyday_posts_alone(model: LexiconScorer) -> None:
    for text in (
        "put the long box on hold and call me",
        "the green bull and the red bear at the zoo",
        "she got up, sat down and ran up the stairs",
        "short story about a rocket and the moon",
    ):
        assert model.compound(text) == 0, model.explain(text)


def test_everyday_posts_are_read_as_vader_reads_them(model: LexiconScorer) -> None:
    vader = SentimentIntensityAnalyzer()
    for text in (
        "what a wonderful day",
        "the service was VERY bad",
        "not good at all",
        "I absolutely hate this",
        "the movie was kind of boring",
        "an excellent meal but a terrible waiter!",
        "never a dull moment, what fantastic people!!",
        "horrible horrible horrible",
    ):
        ours, theirs = model.compound(text), vader.polarity_scores(text)["compound"]
        assert np.sign(ours) == np.sign(theirs), (text, model.explain(text))
        assert abs(ours - theirs) < 0.3, (text, ours, theirs)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\t",
        "$",
        "$$$$$$",
        "%%%",
        "@",
        "#",
        "...",
        "-5",
        "\x00",
        "\ud83d",  # a lone surrogate
        "🏳️‍🌈👩‍👩‍👧",
        "مرحبا",
        "株価が上がった",
        "</script><script>alert(1)</script>",
        "\u202e$AAPL",
        "'; DROP TABLE tweets; --",
    ],
)
def test_hostile_and_empty_texts_have_three_probabilities(model: LexiconScorer, text: str) -> None:
    p = model.score([text])[0]
    assert np.isfinite(p).all()
    assert p.min() >= 0
    assert p.sum() == pytest.approx(1, abs=1e-12)


def test_empty_text_is_neutral_and_so_is_none(model: LexiconScorer) -> None:
    assert label(model, "") == "neutral"
    assert model.compound(None) == 0


def test_no_texts_give_no_rows(model: LexiconScorer) -> None:
    assert model.score([]).shape == (0, 3)


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "bears ",
        "5 vs 4 est ",
        "not ",
        "🚀",
        "up ",
        ":)",
        "$A ",
        "if ",
        "raise ",
        "(((",
        "-",
        "1.",
        "@x",
    ],
)
def test_ten_thousand_characters_cost_no_more_than_their_words(
    model: LexiconScorer, unit: str
) -> None:
    # Quadratic work would be a thousand times that of one post; bounded windows keep it linear.
    text = ("$SPY " + unit * 10_000)[:10_000]
    assert np.isfinite(model.score([text])).all()


def test_the_same_text_has_the_same_score_in_any_company_and_order(model: LexiconScorer) -> None:
    texts = [*GOOD, *BAD, *QUIET]
    alone = np.vstack([model.score([t]) for t in texts])
    order = list(range(len(texts)))
    random.Random(7).shuffle(order)
    together = model.score([texts[i] for i in order])
    assert (together == alone[order]).all()
    assert (LexiconScorer().score(texts) == alone).all()


def test_the_version_is_the_same_for_the_same_lexicon(model: LexiconScorer) -> None:
    assert LexiconScorer().version == model.version
    assert model.version.startswith("lexicon-")
    assert len(model.version) == len("lexicon-") + 12


@pytest.mark.parametrize("file", finance_words.FILES)
def test_the_version_changes_with_any_data_file(
    model: LexiconScorer, file: str, tmp_path: Path
) -> None:
    folder = shutil.copytree(finance_words.FOLDER, tmp_path / "words")
    with (folder / file).open("a", encoding="utf-8") as changed:
        changed.write("# one more line\n")
    assert LexiconScorer(folder).version != model.version


def test_a_malformed_line_is_named(tmp_path: Path) -> None:
    folder = shutil.copytree(finance_words.FOLDER, tmp_path / "words")
    with (folder / "general.tsv").open("a", encoding="utf-8") as broken:
        broken.write("\nno valence here\n")
    with pytest.raises(CashtagError, match=r"general\.tsv, line \d+: expected pattern<TAB>valence"):
        LexiconScorer(folder)


def test_no_two_lines_of_the_lexicon_disagree() -> None:
    said: dict[tuple[bool, tuple[str, ...]], tuple[float, str]] = {}
    for file in ("finance.tsv", "phrases.tsv", "general.tsv"):
        data = (finance_words.FOLDER / file).read_bytes()
        for pattern, valence, _ in finance_words._entries(file, data):
            for tokens in finance_words.spellings(pattern):
                key = (file == "general.tsv", tokens)
                before = said.setdefault(key, (valence, pattern))
                assert before[0] == valence, (tokens, before[1], pattern)
                assert tokens[0] not in finance_words.GAPS, pattern
                assert tokens[-1] not in finance_words.GAPS, pattern


def test_every_class_in_a_pattern_is_defined() -> None:
    data = {f: (finance_words.FOLDER / f).read_text() for f in ("finance.tsv", "phrases.tsv")}
    defined = {
        line[1:].split("\t")[0] for line in data["finance.tsv"].splitlines() if line[:1] == "@"
    }
    used = {
        token[1:-1]
        for file, text in data.items()
        for pattern, *_ in finance_words._entries(file, text.encode())
        for spelling in finance_words.spellings(pattern)
        for token in spelling
        if token[0] == "<"
    }
    assert used <= defined


def test_the_lexicon_holds_more_than_a_thousand_finance_entries() -> None:
    entries = {
        spelling
        for file in ("finance.tsv", "phrases.tsv")
        for pattern, valence, _ in finance_words._entries(
            file, (finance_words.FOLDER / file).read_bytes()
        )
        if valence
        for spelling in finance_words.spellings(pattern)
    }
    assert len(entries) > 1000


def test_calibration_keeps_the_ranking_and_sums_to_one() -> None:
    compound = np.linspace(-1, 1, 2001)
    p = calibration(compound, scale=5.0, negative_cut=0.2, positive_cut=0.25)
    assert (np.diff(p[:, 2] - p[:, 0]) > 0).all()
    assert (p > 0).all()
    assert np.allclose(p.sum(axis=1), 1)


def test_calibration_by_hand() -> None:
    # At the positive cut S(0) = 1/2; the negative tail is S(5 * (-0.2 - 0.25)) = 1 / (1 + e^2.25)
    # = 0.0953495, so neutral keeps 0.4046505.
    p = calibration(np.array([0.25]), scale=5.0, negative_cut=0.2, positive_cut=0.25)[0]
    assert p == pytest.approx([0.0953495, 0.4046505, 0.5], abs=1e-7)


def test_importing_the_module_loads_no_model() -> None:
    code = (
        "import sys; import cashtag.sentiment.lexicon, cashtag.sentiment.registry, "
        "cashtag.sentiment.evaluate; "
        "print([m for m in ('vaderSentiment', 'numpy', 'pyarrow') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
