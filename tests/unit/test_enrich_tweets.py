"""A raw object of tweets becomes rows of its own ticker, and a day's objects one table."""

from __future__ import annotations

import gzip
import json
import math
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cashtag import settings
from cashtag.enrich import tweets
from cashtag.enrich.compact import compact, natural_order
from cashtag.enrich.facts import hashtags
from cashtag.enrich.parsed import Parsed
from cashtag.errors import ContractError
from cashtag.lake import lines, parquet
from cashtag.lake.contracts import contract
from cashtag.lake.layout import RawKey
from cashtag.sentiment.answered import Answered

SHARED = Path(os.environ.get("CASHTAG_SHARED", Path(__file__).resolve().parents[3] / "shared"))
STOCKNET = SHARED / "data" / "stocknet" / "tweets"
SOUND = settings.load(environ={})
TWEETS = contract("tweets")

# Tuesday 3 March 2026; its run's cutoff is 12:00 UTC, its session opens at 14:30 UTC.
DT = date(2026, 3, 3)
IN_TIME = "2026-03-03T12:05:00Z"


def key(name: str = "NVDA", number: int = 1, source: str = "synthetic") -> RawKey:
    return RawKey("tweets", DT, source, name, number)


def tweet(tweet_id: int = 1, text: str = "$NVDA up", **fields: Any) -> dict[str, Any]:
    user = {
        "username": "amit",
        "displayname": "Amit &amp; Co",
        "created": "2016-01-30 00:33:23+00:00",
        "followersCount": 120_000,
        "verified": True,
        **fields.pop("user", {}),
    }
    return {
        "id_str": str(tweet_id),
        "date": "2026-03-02 15:00:00+00:00",
        "user": user,
        "lang": "en",
        "rawContent": text,
        "likeCount": 10,
        "retweetCount": 5,
        "replyCount": 3,
        "quoteCount": 1,
        "viewCount": 900,
        **fields,
    }


def packed(
    *data: dict[str, Any], source: str = "synthetic", scraped_at: str | None = IN_TIME
) -> bytes:
    return lines.pack(
        json.dumps({"source": source, "scraped_at": scraped_at, "query": "q", "data": one}).encode()
        for one in data
    )


def parse(data: bytes, name: str = "NVDA") -> Parsed:
    return tweets.parse(SOUND, key(name), data)


def rows(*data: dict[str, Any], name: str = "NVDA", **envelope: Any) -> list[dict[str, Any]]:
    """Rows as the stage object holds them, each answered as (.2, .3, .5)."""
    found = tweets.enrich_object(SOUND, key(name), packed(*data, **envelope), thirds, "m", "m-1")
    table = parquet.read(TWEETS, parquet.write(TWEETS, found.table))
    return list(table.to_pylist())


def thirds(parsed: Parsed) -> np.ndarray:
    return np.tile([0.2, 0.3, 0.5], (len(parsed.texts), 1))


def one(*data: dict[str, Any], **more: Any) -> dict[str, Any]:
    (row,) = rows(*data, **more)
    return row


def test_a_tweet_becomes_a_row_of_the_contract() -> None:
    assert one(tweet(text="$NVDA &gt; $AMD\n#AI 🚀")) == {
        "tweet_id": "1",
        "ticker": "NVDA",
        "created_at": datetime(2026, 3, 2, 15, 0),  # noqa: DTZ001  UTC, as stored
        "scraped_at": datetime(2026, 3, 3, 12, 5),  # noqa: DTZ001
        "session": date(2026, 3, 3),  # after Monday's cutoff
        "hour_ny": 10,  # UTC-5 in winter
        "source": "synthetic",
        "author": "amit",
        "author_name": "Amit & Co",
        "author_followers": 120_000,
        "author_created_at": datetime(2016, 1, 30, 0, 33, 23),  # noqa: DTZ001
        "author_verified": True,
        "lang": "en",
        "text": "$NVDA > $AMD #AI 🚀",
        "url": "https://x.com/amit/status/1",
        "likes": 10,
        "retweets": 5,
        "replies": 3,
        "quotes": 1,
        "views": 900,
        "cashtags": ["NVDA", "AMD"],
        "hashtags": ["ai"],
        "is_retweet": False,
        "is_reply": False,
        "is_quote": False,
        "influence": 0.8,  # .5, + .2 for more than 100,000 followers, + .1 verified
        "is_key_influencer": False,
        "engagement": 19,
        "engagement_factor": 1.299573227,  # 1 + ln(20) / 10 = 1 + 2.995732274 / 10
        "authenticity": 1.0,
        "flags": [],
        "text_key": one(tweet(text="$NVDA $AMD ai 🚀"))["text_key"],
        "p_negative": 0.2,
        "p_neutral": 0.3,
        "p_positive": 0.5,
        "sentiment": "positive",
        "sentiment_score": 0.5,
        "polarity": 0.3,
        "agreement": 1.0,
        "models": None,
        "model": "m",
        "model_version": "m-1",
        "run_id": one(tweet())["run_id"],
    }


# ---------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("posted", "session", "hour"),
    [
        ("2026-03-02 11:59:59+00:00", date(2026, 3, 2), 6),  # before Monday's cutoff
        ("2026-03-02 12:00:00+00:00", date(2026, 3, 3), 7),  # at it: the next run's
        ("2026-03-06 12:00:00+00:00", date(2026, 3, 9), 7),  # Friday noon reads on Monday
        ("2026-03-07 23:00:00+00:00", date(2026, 3, 9), 18),  # Saturday, UTC-5
        ("2026-03-08 23:00:00+00:00", date(2026, 3, 9), 19),  # Sunday after the change: UTC-4
        ("2026-03-08 06:59:59+00:00", date(2026, 3, 9), 1),  # a second before it
        ("2026-03-08 07:00:00+00:00", date(2026, 3, 9), 3),  # there is no two o'clock
    ],
)
def test_session_and_hour_are_those_of_the_post(posted: str, session: date, hour: int) -> None:
    row = one(tweet(date=posted))
    assert (row["session"], row["hour_ny"]) == (session, hour)


@pytest.mark.parametrize(
    ("scraped_at", "factor"),
    [
        ("2026-03-03T12:00:30Z", 1.299573227),
        ("2026-03-03T13:00:00Z", 1.299573227),  # an hour after the cutoff is in time
        ("2026-03-03T13:00:00.001Z", 1.0),  # later counts know what nobody knew
        ("2026-06-01T00:00:00Z", 1.0),
        (None, 1.0),  # an archive that does not say
        ("soon", 1.0),
    ],
)
def test_counts_of_later_do_not_weigh(scraped_at: str | None, factor: float) -> None:
    row = one(tweet(), scraped_at=scraped_at)
    assert row["engagement_factor"] == factor
    assert row["engagement"] == 19  # kept as a fact


def test_counts_are_judged_by_the_posts_own_run_not_by_the_objects() -> None:
    # Posted before Monday's cutoff, found in Tuesday's object: its counts are a day too late.
    late = tweet(date="2026-03-02 11:00:00+00:00")
    assert one(late)["engagement_factor"] == 1.0


def test_without_counts_engagement_is_null_and_weighs_one() -> None:
    none = dict.fromkeys(("likeCount", "retweetCount", "replyCount", "quoteCount"))
    row = one(tweet(**none))
    assert (row["engagement"], row["engagement_factor"]) == (None, 1.0)
    row = one(tweet(**(none | {"likeCount": 19})))  # one count is enough
    assert (row["engagement"], row["engagement_factor"]) == (19, 1.299573227)


def test_few_likes_are_marked_where_they_were_counted_in_time() -> None:
    assert one(tweet(likeCount=5))["flags"] == []
    assert one(tweet(likeCount=4))["flags"] == ["few-likes"]
    assert one(tweet(likeCount=4))["authenticity"] == 1.0
    assert one(tweet(likeCount=None))["flags"] == []
    assert one(tweet(likeCount=4), scraped_at=None)["flags"] == []


# ---------------------------------------------------------------- whose row


def test_an_object_yields_rows_of_its_own_ticker_only() -> None:
    found = tweets.enrich_object(
        SOUND,
        key(),
        packed(
            tweet(1, "$NVDA and $AMD"),
            tweet(2, "$AMD alone"),  # a quoted post that came along
            tweet(3, "new GPU out"),  # a keyword of NVDA
            tweet(4, "he said so"),
            tweet(5, "cut before its…", cashtags=["NVDA"]),  # the source read the whole
        ),
        thirds,
        "m",
        "m-1",
    )
    assert found.table.column("tweet_id").to_pylist() == ["1", "3", "5"]
    assert set(found.table.column("ticker").to_pylist()) == {"NVDA"}
    assert found.counts == {
        "lines": 5,
        "rows": 3,
        "off_topic": 2,
        "repeated": 0,
        "rejected": 0,
        "unanswered": 0,
    }


def test_an_alias_maps_the_object_and_its_cashtags() -> None:
    row = one(tweet(text="$FB and $META and $GOOG"), name="FB")
    assert (row["ticker"], row["cashtags"]) == ("META", ["META", "GOOG"])


def test_a_repeated_id_is_one_row_of_the_first_line() -> None:
    parsed = parse(packed(tweet(1, "$NVDA first"), tweet(1, "$NVDA second"), tweet(2)))
    assert parsed.repeated == 1
    assert parsed.rows.tolist() == [0, 2]
    assert parsed.columns["text"].to_pylist() == ["$NVDA first", "$NVDA up"]


def test_key_influencers_are_those_of_a_stock_that_is_mentioned() -> None:
    def key_of(author: str, text: str, name: str = "NVDA") -> tuple[bool, float]:
        user = {"username": author, "followersCount": 1, "verified": False}
        row = one(tweet(text=text, user=user), name=name)
        return row["is_key_influencer"], row["influence"]

    assert key_of("JensenHuang", "$NVDA") == (True, 0.8)
    assert key_of("jensenhuang", "$NVDA") == (True, 0.8)  # X names have no case
    assert key_of("tim_cook", "$NVDA") == (False, 0.5)  # Apple's
    assert key_of("tim_cook", "$NVDA $AAPL") == (True, 0.8)
    assert key_of("tim_cook", "$NVDA in the iPhone") == (True, 0.8)  # by keyword
    assert key_of("JensenHuang", "$AMD", name="AMD") == (False, 0.5)


def test_stuffing_counts_distinct_cashtags() -> None:
    assert one(tweet(text="$NVDA $A $B $C $D"))["flags"] == ["stuffing"]
    assert one(tweet(text="$NVDA $A $B $C $D"))["authenticity"] == 0.2
    assert one(tweet(text="$NVDA $A $B $C"))["authenticity"] == 0.5
    assert one(tweet(text="$NVDA $NVDA $A $A $B"))["flags"] == []


def test_flags_name_every_reason() -> None:
    row = one(
        tweet(
            text="$NVDA $A $B $C $D join our discord",
            user={"created": "2026-02-20 00:00:00+00:00"},
            likeCount=0,
        )
    )
    assert row["flags"] == ["stuffing", "young-account", "promo", "few-likes"]
    assert row["authenticity"] == 0.02  # .2 x .5 x .2


# ---------------------------------------------------------------- damage


def test_a_bad_line_costs_no_neighbour_and_says_why() -> None:
    good = packed(tweet(1), tweet(2))
    first, second = gzip.decompress(good).splitlines()
    stranger = json.dumps({"source": "elsewhere", "data": tweet(9)}).encode()
    bad = {
        b'{"source":"synthetic","data":{"id_str"': "json",
        first.replace(b"Amit", b"Am\xefit"): "encoding",
        b"[]": "not-object",
        b'{"data":{}}': "no-envelope",
        stranger: "unknown-source",
        gzip.decompress(packed(tweet(3) | {"id_str": None})).strip(): "no-id",
        gzip.decompress(packed(tweet(4, " \u200b "))).strip(): "no-text",
        gzip.decompress(packed(tweet(5, date="yesterday"))).strip(): "no-date",
        gzip.decompress(packed(tweet(6, date="2009-01-05 00:00:00Z"))).strip(): "outside-calendar",
        gzip.decompress(packed(tweet(7, date="2036-01-05 00:00:00Z"))).strip(): "outside-calendar",
    }
    parsed = parse(lines.pack([first, *bad, b"", second]))
    assert parsed.columns["tweet_id"].to_pylist() == ["1", "2"]
    assert [(r.raw, r.reason) for r in parsed.rejected] == list(bad.items())
    assert [r.line for r in parsed.rejected] == list(range(2, 12))  # line 1 is good
    assert parsed.rows.tolist() == [0, 12]
    assert [i for i, text in enumerate(parsed.texts) if text is not None] == [0, 12]


def test_a_cut_object_gives_its_whole_lines_and_the_piece() -> None:
    # Stored, so that one byte of the object is one of the text.
    whole = gzip.compress(gzip.decompress(packed(tweet(1), tweet(2))), compresslevel=0)
    parsed = parse(whole[:-40])
    assert parsed.columns["tweet_id"].to_pylist() == ["1"]
    (damage,) = parsed.rejected
    assert damage.line == 0
    assert damage.reason.startswith("gzip: ")
    assert damage.raw.startswith(b'{"source"')


def test_an_empty_object_is_a_table_of_no_rows() -> None:
    for data in (lines.pack([]), b"", lines.pack([b" ", b""])):
        found = tweets.enrich_object(SOUND, key(), data, thirds, "m", "m-1")
        assert found.table.schema == TWEETS.arrow_schema()
        assert (found.table.num_rows, found.rejected) == (0, ())
        parquet.write(TWEETS, found.table)


def test_missing_fields_are_null_and_a_missing_author_is_nobody_else() -> None:
    bare = {"id_str": "7", "date": "2026-03-02 15:00:00Z", "rawContent": "$NVDA"}
    row = one(bare, scraped_at=None)
    assert row["author"] == "unknown-7"
    assert row["url"] == "https://x.com/unknown-7/status/7"
    missing = ("author_name", "author_followers", "author_verified", "lang", "likes", "views")
    assert [row[name] for name in missing] == [None] * 6
    assert (row["influence"], row["authenticity"], row["engagement_factor"]) == (0.5, 1.0, 1.0)


def test_hostile_fields_are_text_or_null() -> None:
    row = one(
        tweet(
            text="$NVDA </script><img src=x onerror=alert(1)> \u202e" + "x" * 10_000,
            url="javascript:alert(1)",
            lang="<b>",
            user={"username": "@ev il\x00", "displayname": "a\nb\u202e"},
        )
    )
    assert row["text"].startswith("$NVDA </script><img src=x onerror=alert(1)> xxx")
    assert row["author"] == "evil"
    assert row["author_name"] == "a b"
    assert row["url"] == "https://x.com/evil/status/1"
    assert row["lang"] is None


@pytest.mark.parametrize(
    ("stated", "kept"),
    [("en", "en"), ("EN", "en"), ("pt-BR", "pt"), ("und", None), (5, None), ("", None)],
)
def test_a_language_is_a_code(stated: object, kept: str | None) -> None:
    assert one(tweet(lang=stated))["lang"] == kept


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#AI and #ai", ["ai"]),
        ("#2026 #1st #_", ["1st"]),  # a letter is needed
        ("＃株 #株価", ["株", "株価"]),
        ("a#b x&#c; http://e.org/#d", []),
        ("(#ok)", ["ok"]),
    ],
)
def test_hashtags_are_distinct_lower_case_and_in_order(text: str, found: list[str]) -> None:
    assert list(hashtags(text)) == found


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_no_line_makes_enrichment_raise(found: list[bytes]) -> None:
    body = b"\n".join([*found, gzip.decompress(packed(tweet(1))).strip()])
    enriched = tweets.enrich_object(SOUND, key(), gzip.compress(body), thirds, "m", "m-1")
    assert enriched.table.column("tweet_id").to_pylist() == ["1"]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)
FIELDS = sorted(tweet()) + ["user." + name for name in tweet()["user"]] + ["url", "cashtags"]


@given(st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=4))
def test_no_field_makes_enrichment_raise_or_break_the_contract(fields: dict[str, Any]) -> None:
    broken = tweet(1)
    for name, value in fields.items():
        if name.startswith("user.") and isinstance(broken["user"], dict):
            broken["user"][name.removeprefix("user.")] = value
        else:
            broken[name] = value
    found = tweets.enrich_object(SOUND, key(), packed(broken, tweet(2)), thirds, "m", "m-1")
    assert "2" in found.table.column("tweet_id").to_pylist()
    assert sum(found.counts[name] for name in ("rows", "off_topic", "repeated", "rejected")) == 2
    parquet.write(TWEETS, found.table)


# ---------------------------------------------------------------- answers


def test_every_raw_line_has_a_text_to_score_row_or_not() -> None:
    off = tweet(2, "$AMD alone")
    parsed = parse(packed(tweet(1), off, tweet(3) | {"id_str": None}, tweet(1)))
    assert parsed.texts == ("$NVDA up", "$AMD alone", None, "$NVDA up")
    hashes = parsed.input_hashes
    assert [bool(digest) for digest in hashes] == [True, True, False, True]
    assert hashes[0] == hashes[3] != hashes[1]


def test_what_is_scored_does_not_depend_on_the_settings() -> None:
    # A recorded answer is read again after any change of settings.
    other = settings.load(environ={}, overrides={"tickers.aliases": {"AMD": "NVDA"}})
    data = packed(tweet(1), tweet(2, "$AMD alone"))
    assert tweets.parse(other, key(), data).texts == parse(data).texts
    assert len(tweets.parse(other, key(), data).rows) == 2


def test_an_unanswered_row_waits() -> None:
    parsed = parse(packed(tweet(1), tweet(2)))
    answers = np.array([[np.nan] * 3, [0.1, 0.2, 0.7]])
    table = tweets.assemble(SOUND, parsed, answers, "m", "m-1")
    assert table.column("sentiment").to_pylist() == [None, "positive"]
    assert table.column("agreement").to_pylist() == [None, 1.0]
    assert table.column("polarity").null_count == 1


def test_answers_of_several_models_come_with_their_agreement() -> None:
    parsed = parse(packed(tweet(2, "off topic"), tweet(1)))
    table = tweets.assemble(
        SOUND,
        parsed,
        Answered(
            np.tile([0.2, 0.3, 0.5], (2, 1)),
            stated=np.array([0.1, 0.4]),
            named=[None, "neutral"],  # by its thresholds, not by the highest probability
            said=[None, '{"a":1}'],
            agreement=np.array([1.0, 0.5]),
        ),
        "ensemble",
        "e-1",
    )
    assert table.column("sentiment").to_pylist() == ["neutral"]
    assert table.column("sentiment_score").to_pylist() == [0.4]
    assert table.column("polarity").to_pylist() == [0.5 - 0.2]
    assert table.column("agreement").to_pylist() == [0.5]
    assert table.column("models").to_pylist() == ['{"a":1}']


def test_answers_for_other_lines_are_refused() -> None:
    with pytest.raises(ContractError, match="answers for 1 lines where the object has 2"):
        tweets.assemble(SOUND, parse(packed(tweet(1), tweet(2))), np.zeros((1, 3)), "m", "m-1")


def test_the_same_object_gives_the_same_bytes() -> None:
    data = packed(*(tweet(i, f"$NVDA {i} #a{i}") for i in range(300)))
    first, second = (
        parquet.write(TWEETS, tweets.enrich_object(SOUND, key(), data, thirds, "m", "m-1").table)
        for _ in range(2)
    )
    assert first == second


def test_the_run_names_date_settings_and_model() -> None:
    base = one(tweet())["run_id"]
    assert len(base) == 12
    other = tweets.enrich_object(SOUND, key(), packed(tweet()), thirds, "m", "m-2")
    assert other.table.column("run_id").to_pylist() != [base]


# ---------------------------------------------------------------- other sources


def test_api_v1_and_reference_lines_become_rows_as_well() -> None:
    status = {
        "created_at": "Mon Mar 02 15:00:00 +0000 2026",
        "id_str": "11",
        "text": "$NVDA up",
        "user": {"screen_name": "mark", "created_at": "Mon Sep 07 10:59:39 +0000 2009"},
    }
    row = one(status, source="twitter-v1", scraped_at=None)
    assert (row["source"], row["session"], row["author"]) == ("twitter-v1", DT, "mark")

    element = {
        "id": 12,
        "ticker": "$NVDA",
        "username": "amit",
        "content": "a word about chips",  # named by the earlier pipeline, not by its text
        "created_at": "2026-03-02 15:00:00+00:00",
        "likes": 7,
    }
    row = one(element, source="reference", scraped_at=None)
    assert (row["source"], row["tweet_id"], row["likes"]) == ("reference", "12", 7)
    assert row["cashtags"] == []


@pytest.mark.shared
@pytest.mark.skipif(not STOCKNET.exists(), reason="the StockNet tweets are not here")
def test_real_tweets_stay_unless_they_name_another() -> None:
    # C, D, T and V are letters of slang ("U$D", "BE$T"); every other line is about its ticker.
    kept = off = 0
    for path in sorted(STOCKNET.glob("*.jsonl.gz")):
        ticker = path.name.split(".")[0]
        if ticker in {"C", "D", "T", "V"}:
            continue
        found = [
            b'{"source":"twitter-v1","scraped_at":null,"data":' + line + b"}"
            for line in gzip.decompress(path.read_bytes()).splitlines()
        ]
        parsed = parse(lines.pack(found), ticker)
        assert parsed.rejected == ()
        kept += len(parsed.rows)
        off += parsed.off_topic
    assert kept > 10_000
    assert off / (kept + off) < 0.01


# ---------------------------------------------------------------- a day's table


def staged(name: str, number: int, *data: dict[str, Any]) -> tuple[RawKey, pa.Table]:
    of = key(name, number)
    return of, tweets.enrich_object(SOUND, of, packed(*data), thirds, "m", "m-1").table


def test_raw_keys_stand_in_natural_order() -> None:
    wanted = [key("AMD", 2), key("AMD", 10), key("NVDA", 1), key("AMD", 1, source="x")]
    assert natural_order(reversed(wanted)) == wanted


def test_of_two_objects_with_one_post_the_first_stays() -> None:
    both = "$NVDA and $AMD"
    known = [
        staged("AMD", 1, tweet(1, both)),
        staged("NVDA", 1, tweet(1, both), tweet(2, "$NVDA early")),
        staged("NVDA", 2, tweet(2, "$NVDA late"), tweet(3)),
    ]
    table = compact(TWEETS, [table for _, table in known])
    found = {(r["ticker"], r["tweet_id"]): r["text"] for r in table.to_pylist()}
    assert found == {
        ("AMD", "1"): both,  # one row a ticker
        ("NVDA", "1"): both,
        ("NVDA", "2"): "$NVDA early",
        ("NVDA", "3"): "$NVDA up",
    }
    parquet.write(TWEETS, table)  # the contract's key is unique


def test_a_day_without_objects_is_a_table_of_no_rows() -> None:
    assert compact(TWEETS, []).num_rows == 0
    assert compact(TWEETS, [TWEETS.empty(), TWEETS.empty()]).schema == TWEETS.arrow_schema()


def test_compaction_keeps_everything_that_is_distinct() -> None:
    table = staged("NVDA", 1, *(tweet(i) for i in range(1, 200)))[1]
    assert compact(TWEETS, [table]).equals(table)
    assert compact(TWEETS, [table.slice(0, 120), table.slice(80)]).num_rows == 199


def test_figures_used_above_are_what_they_claim() -> None:
    assert round(1 + math.log(20) / 10, 9) == 1.299573227
    assert datetime(2026, 3, 3, tzinfo=UTC).strftime("%A") == "Tuesday"
