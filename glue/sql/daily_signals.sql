-- What sentiment and price say of a ticker, and what follows. One row per (session, ticker, kind).
-- Reads daily_sentiment, daily_features and daily_news of :session.
--
-- `direction` is a view of the stock: an OPTION row that says SELL is bought as a PUT. Whatever is
-- unknown stays NULL, and a signal that lacks an input is HOLD.
WITH symbols AS (
  -- Thresholds of the watchlist come as text, `NVDA=0.72,…`; all others have the default.
  SELECT
    element_at(split(entry, '='), 1) AS ticker,
    CAST(element_at(split(entry, '='), 2) AS double) AS confidence_needed
  FROM UNNEST(split(:symbol_thresholds, ',')) AS listed (entry)
),

sentiment AS (
  SELECT
    ticker,
    n_tweets,
    n_effective,
    polarity,
    previous_polarity,
    previous_n_effective,
    polarity_change,
    change_se,
    confidence_reference,
    z,
    top_tweet_ids,
    model,
    model_version
  FROM daily_sentiment
  WHERE session = :session
),

features AS (
  SELECT
    ticker,
    last_session,
    close,
    sma20,
    atr14,
    volume_ratio,
    trend_state,
    breakout,
    "cross",
    regime_multiplier,
    ROUND(adjusted_close - sma20, 10) AS distance,
    -- How far that is in the scale of its range, and how much more volume than usual.
    abs(ROUND(adjusted_close - sma20, 10)) / NULLIF(:atr_scale * atr14, 0e0) AS reach,
    volume_ratio - 1e0 AS excess,
    -- The side on which price, trend and volume agree; 0 when they do not.
    CASE
      WHEN adjusted_close IS NULL OR sma20 IS NULL OR trend_state IS NULL OR volume_ratio IS NULL
        THEN NULL
      WHEN volume_ratio <= :trend_volume_ratio THEN 0
      WHEN trend_state = 1 AND ROUND(adjusted_close - sma20, 10) > 0e0 THEN 1
      WHEN trend_state = -1 AND ROUND(adjusted_close - sma20, 10) < 0e0 THEN -1
      ELSE 0
    END AS side
  FROM daily_features
  WHERE session = :session
),

-- The confidence that sentiment has, and the one it needs: the rule's own, which a symbol may
-- only raise.
judged AS (
  SELECT
    sentiment.ticker,
    sentiment.polarity,
    sentiment.polarity_change,
    sentiment.change_se,
    greatest(
      :confidence_threshold,
      COALESCE(symbols.confidence_needed, :default_threshold)
    ) AS needed,
    ROUND(
      CASE
        WHEN :sentiment_rule = 'confidence' THEN sentiment.confidence_reference
        WHEN sentiment.change_se > 0e0
          THEN
            2e0 * normal_cdf(0e0, 1e0, abs(sentiment.polarity_change) / sentiment.change_se) - 1e0
      END,
      10
    ) AS confidence
  FROM sentiment
  LEFT JOIN symbols ON symbols.ticker = sentiment.ticker
),

-- A mean that moved far, by more than chance would move it, to where it points. The reference's
-- rule asks for its confidence instead of the level's sign.
moved AS (
  SELECT
    ticker,
    confidence,
    needed,
    CASE
      WHEN
        abs(ROUND(polarity_change, 10)) >= :change_threshold
        AND (:change_sigmas = 0e0 OR abs(polarity_change) >= ROUND(:change_sigmas * change_se, 10))
        AND (:sentiment_rule = 'confidence' OR polarity * polarity_change > 0e0)
        AND confidence >= needed
        THEN CASE WHEN polarity_change > 0e0 THEN 'BUY' ELSE 'SELL' END
      ELSE 'HOLD'
    END AS verdict
  FROM judged
),

-- Sentiment agrees with a trend when its own signal points the same way.
graded AS (
  SELECT
    COALESCE(moved.ticker, features.ticker) AS ticker,
    moved.confidence AS sentiment_confidence,
    moved.needed,
    COALESCE(moved.verdict, 'HOLD') AS sentiment_signal,
    features.side,
    CASE
      WHEN features.side <> 0
        THEN (
          :trend_weight_distance * CASE WHEN features.reach > 1e0 THEN 1e0 ELSE features.reach END
          + :trend_weight_event
          * CASE
            WHEN features.breakout THEN 1e0
            WHEN features.side = 1 AND features."cross" = 'golden' THEN 1e0
            WHEN features.side = -1 AND features."cross" = 'death' THEN 1e0
            ELSE 0e0
          END
          + :trend_weight_volume
          * CASE
            WHEN features.excess > 1e0 THEN 1e0
            WHEN features.excess < 0e0 THEN 0e0
            ELSE features.excess
          END
          + :trend_weight_regime * features.regime_multiplier
        )
        * CASE
          WHEN features.side = 1 AND moved.verdict = 'BUY' THEN :sentiment_bonus
          WHEN features.side = -1 AND moved.verdict = 'SELL' THEN :sentiment_bonus
          ELSE 1e0
        END
        * CASE WHEN features.volume_ratio > :volume_bonus_ratio THEN :volume_bonus ELSE 1e0 END
    END AS grade
  FROM moved
  FULL OUTER JOIN features ON features.ticker = moved.ticker
),

fired AS (
  SELECT
    ticker,
    sentiment_confidence,
    needed,
    sentiment_signal,
    side,
    CASE WHEN grade > 1e0 THEN 1e0 ELSE ROUND(grade, 10) END AS trend_confidence,
    CASE
      WHEN ROUND(grade, 10) > :fire_above AND side = 1 THEN 'BUY'
      WHEN ROUND(grade, 10) > :fire_above AND side = -1 THEN 'SELL'
      ELSE 'HOLD'
    END AS trend_signal
  FROM graded
),

kinds AS (
  SELECT
    'STOCK' AS kind,
    :stock_rule AS rule
  UNION ALL
  SELECT
    'OPTION' AS kind,
    :option_rule AS rule
),

-- Signals of opposite sign cancel; otherwise each kind follows its own.
decided AS (
  SELECT
    fired.*,
    kinds.kind,
    kinds.rule,
    fired.sentiment_signal <> 'HOLD'
    AND fired.trend_signal <> 'HOLD'
    AND fired.sentiment_signal <> fired.trend_signal AS contradict,
    CASE
      WHEN
        fired.sentiment_signal <> 'HOLD'
        AND fired.trend_signal <> 'HOLD'
        AND fired.sentiment_signal <> fired.trend_signal
        THEN 'HOLD'
      WHEN kinds.rule = 'trend' THEN fired.trend_signal
      ELSE fired.sentiment_signal
    END AS direction
  FROM fired
  CROSS JOIN kinds
)

SELECT
  CAST(decided.ticker AS varchar) AS ticker,
  CAST(decided.kind AS varchar) AS kind,
  CAST(:cutoff AS timestamp) AS as_of,
  CAST(decided.direction AS varchar) AS direction,
  CAST(
    CASE
      WHEN decided.direction = 'HOLD' THEN 'NONE'
      WHEN decided.kind = 'STOCK' THEN 'STOCK'
      WHEN decided.direction = 'BUY' THEN 'CALL'
      ELSE 'PUT'
    END AS varchar
  ) AS instrument,
  CAST(
    CASE
      WHEN decided.rule = 'trend' THEN decided.trend_confidence
      ELSE decided.sentiment_confidence
    END AS double
  ) AS confidence,
  CAST(
    json_format(
      CAST(
        filter(
          ARRAY[
            CASE WHEN decided.rule = 'trend' THEN 'Follows price: ' ELSE 'Follows sentiment: ' END
            || decided.direction || '.',
            CASE
              WHEN decided.contradict
                THEN 'Sentiment says ' || decided.sentiment_signal
                  || ' and price says ' || decided.trend_signal || ', so nothing is done.'
            END,
            CASE
              WHEN sentiment.ticker IS NULL THEN 'Nobody wrote about it in this session.'
              WHEN sentiment.polarity_change IS NULL
                THEN 'Sentiment has no change: '
                  || COALESCE(
                    CAST(CAST(ROUND(sentiment.n_effective, 1) AS decimal(18, 1)) AS varchar),
                    'no'
                  )
                  || ' effective tweets now, '
                  || COALESCE(
                    CAST(CAST(ROUND(sentiment.previous_n_effective, 1) AS decimal(18, 1)) AS varchar),
                    'none'
                  )
                  || ' in the session before; '
                  || CAST(CAST(ROUND(:min_tweets, 1) AS decimal(18, 1)) AS varchar)
                  || ' are needed in both.'
              ELSE
                'Sentiment went from '
                || CAST(CAST(ROUND(sentiment.previous_polarity, 2) AS decimal(18, 2)) AS varchar)
                || ' to '
                || CAST(CAST(ROUND(sentiment.polarity, 2) AS decimal(18, 2)) AS varchar)
                || ', a change of '
                || CAST(CAST(ROUND(sentiment.polarity_change, 2) AS decimal(18, 2)) AS varchar)
                || '; '
                || CAST(CAST(ROUND(:change_threshold, 2) AS decimal(18, 2)) AS varchar)
                || ' is needed.'
            END,
            CASE
              WHEN sentiment.change_se > 0e0
                THEN 'The change is '
                  || CAST(
                    CAST(
                      ROUND(abs(sentiment.polarity_change) / sentiment.change_se, 2) AS decimal(18, 2)
                    ) AS varchar
                  )
                  || ' standard errors; '
                  || CAST(CAST(ROUND(:change_sigmas, 2) AS decimal(18, 2)) AS varchar)
                  || ' are needed.'
            END,
            CASE
              WHEN sentiment.polarity_change IS NOT NULL AND decided.sentiment_confidence IS NOT NULL
                THEN 'Confidence of sentiment '
                  || CAST(CAST(ROUND(decided.sentiment_confidence, 2) AS decimal(18, 2)) AS varchar)
                  || '; '
                  || CAST(CAST(ROUND(decided.needed, 2) AS decimal(18, 2)) AS varchar)
                  || ' is needed.'
            END,
            CASE
              WHEN
                :sentiment_rule = 'change' AND sentiment.polarity_change * sentiment.polarity <= 0e0
                THEN 'The level of sentiment does not have the sign of its change.'
            END,
            CASE
              WHEN decided.side IS NULL THEN 'Price gives no signal: too few bars are known.'
              ELSE
                'Price is '
                || CASE
                  WHEN features.distance > 0e0 THEN 'above'
                  WHEN features.distance < 0e0 THEN 'below'
                  ELSE 'at'
                END
                || ' its long mean, trend state ' || CAST(features.trend_state AS varchar)
                || ', volume '
                || CAST(CAST(ROUND(features.volume_ratio, 2) AS decimal(18, 2)) AS varchar)
                || ' times its mean; more than '
                || CAST(CAST(ROUND(:trend_volume_ratio, 2) AS decimal(18, 2)) AS varchar)
                || ' is needed.'
            END,
            CASE
              WHEN decided.side <> 0 AND features.regime_multiplier IS NULL
                THEN 'The regime of the market is unknown, so price gives no signal.'
              WHEN decided.trend_confidence IS NOT NULL
                THEN 'Confidence of the trend '
                  || CAST(CAST(ROUND(decided.trend_confidence, 2) AS decimal(18, 2)) AS varchar)
                  || '; more than '
                  || CAST(CAST(ROUND(:fire_above, 2) AS decimal(18, 2)) AS varchar)
                  || ' is needed.'
            END
          ],
          sentence -> sentence IS NOT NULL
        ) AS json
      )
    ) AS varchar
  ) AS reasons,
  CAST(decided.sentiment_signal AS varchar) AS sentiment_signal,
  CAST(decided.sentiment_confidence AS double) AS sentiment_confidence,
  CAST(decided.trend_signal AS varchar) AS trend_signal,
  CAST(decided.trend_confidence AS double) AS trend_confidence,
  CAST(sentiment.n_tweets AS bigint) AS n_tweets,
  CAST(sentiment.n_effective AS double) AS n_effective,
  CAST(sentiment.polarity AS double) AS polarity,
  CAST(sentiment.previous_polarity AS double) AS previous_polarity,
  CAST(sentiment.polarity_change AS double) AS polarity_change,
  CAST(sentiment.change_se AS double) AS change_se,
  CAST(:change_threshold AS double) AS change_threshold,
  CAST(sentiment.z AS double) AS z,
  CAST(:coverage AS double) AS coverage,
  CAST(:partial AS boolean) AS partial,
  CAST(features.last_session AS date) AS last_session,
  CAST(features.close AS double) AS close,
  CAST(features.sma20 AS double) AS sma20,
  CAST(features.atr14 AS double) AS atr14,
  CAST(features.volume_ratio AS double) AS volume_ratio,
  CAST(features.trend_state AS integer) AS trend_state,
  CAST(features.breakout AS boolean) AS breakout,
  CAST(features."cross" AS varchar) AS "cross",
  CAST(features.regime_multiplier AS double) AS regime_multiplier,
  CAST(news.n_news AS bigint) AS n_news,
  CAST(news.polarity AS double) AS news_polarity,
  CAST(COALESCE(sentiment.top_tweet_ids, '[]') AS varchar) AS tweet_ids,
  CAST(sentiment.model AS varchar) AS model,
  CAST(sentiment.model_version AS varchar) AS model_version,
  CAST(:config_hash AS varchar) AS config_hash,
  CAST(:run_id AS varchar) AS run_id
FROM decided
LEFT JOIN sentiment ON sentiment.ticker = decided.ticker
LEFT JOIN features ON features.ticker = decided.ticker
LEFT JOIN daily_news AS news ON news.ticker = decided.ticker AND news.session = :session
