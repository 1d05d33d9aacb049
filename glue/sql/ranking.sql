-- The watchlist score: how much is going on in a ticker. One row per (session, ticker).
-- Reads daily_features and daily_sentiment of :session.
--
-- Each part is a percentile rank among the tickers for which it is known, 0 to 1 (one ticker
-- alone has 0). A ticker with an unknown part has no score and ranks after those that have one.
WITH parts AS (
  SELECT
    COALESCE(features.ticker, sentiment.ticker) AS ticker,
    ROUND(abs(features.adjusted_close / NULLIF(features.sma20, 0e0) - 1e0), 10) AS setup,
    features.volume_ratio AS volume,
    sentiment.polarity AS sentiment,
    ROUND(features.return5, 10) AS return5
  FROM (
    SELECT
      ticker,
      adjusted_close,
      sma20,
      volume_ratio,
      return5
    FROM daily_features
    WHERE session = :session
  ) AS features
  FULL OUTER JOIN (
    SELECT
      ticker,
      polarity
    FROM daily_sentiment
    WHERE session = :session
  ) AS sentiment ON sentiment.ticker = features.ticker
),

ranks AS (
  SELECT
    ticker,
    CASE
      WHEN setup IS NOT NULL
        THEN percent_rank() OVER (PARTITION BY setup IS NULL ORDER BY setup)
    END AS setup,
    CASE
      WHEN volume IS NOT NULL
        THEN percent_rank() OVER (PARTITION BY volume IS NULL ORDER BY volume)
    END AS volume,
    CASE
      WHEN sentiment IS NOT NULL
        THEN percent_rank() OVER (PARTITION BY sentiment IS NULL ORDER BY sentiment)
    END AS sentiment,
    CASE
      WHEN return5 IS NOT NULL
        THEN percent_rank() OVER (PARTITION BY return5 IS NULL ORDER BY return5)
    END AS return5
  FROM parts
),

scored AS (
  SELECT
    *,
    ROUND(
      :ranking_setup * setup
      + :ranking_volume * volume
      + :ranking_sentiment * sentiment
      + :ranking_return5 * return5,
      10
    ) AS score
  FROM ranks
)

SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(score AS double) AS score,
  CAST(row_number() OVER (ORDER BY score DESC NULLS LAST, ticker) AS bigint) AS rank,
  CAST(setup AS double) AS setup,
  CAST(volume AS double) AS volume,
  CAST(sentiment AS double) AS sentiment,
  CAST(return5 AS double) AS return5,
  CAST(:config_hash AS varchar) AS config_hash,
  CAST(:run_id AS varchar) AS run_id
FROM scored
