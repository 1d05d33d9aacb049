-- How often the signals fire and what becomes of them. One row per (condition).
-- Reads daily_signals of the sessions :first to :last.
WITH counted AS (
  SELECT
    count(CASE WHEN kind = 'STOCK' THEN 1 END) AS n_all,
    count(CASE WHEN kind = 'STOCK' AND sentiment_signal = 'BUY' THEN 1 END) AS n_sentiment_buy,
    count(CASE WHEN kind = 'STOCK' AND sentiment_signal = 'SELL' THEN 1 END) AS n_sentiment_sell,
    count(CASE WHEN kind = 'STOCK' AND trend_confidence IS NOT NULL THEN 1 END) AS n_graded,
    count(CASE WHEN kind = 'STOCK' AND trend_signal = 'BUY' THEN 1 END) AS n_trend_buy,
    count(CASE WHEN kind = 'STOCK' AND trend_signal = 'SELL' THEN 1 END) AS n_trend_sell,
    count(
      CASE
        WHEN
          kind = 'STOCK' AND sentiment_signal <> 'HOLD' AND trend_signal <> 'HOLD'
          AND sentiment_signal <> trend_signal
          THEN 1
      END
    ) AS n_contradict,
    count(CASE WHEN kind = 'STOCK' AND direction = 'BUY' THEN 1 END) AS n_stock_buy,
    count(CASE WHEN kind = 'STOCK' AND direction = 'SELL' THEN 1 END) AS n_stock_sell,
    count(CASE WHEN instrument = 'CALL' THEN 1 END) AS n_call,
    count(CASE WHEN instrument = 'PUT' THEN 1 END) AS n_put,
    count(CASE WHEN kind = 'STOCK' AND partial THEN 1 END) AS n_partial
  FROM daily_signals
  WHERE session BETWEEN :first AND :last
)

SELECT
  CAST('sentiment says BUY' AS varchar) AS condition,
  CAST(n_sentiment_buy AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('sentiment says SELL' AS varchar) AS condition,
  CAST(n_sentiment_sell AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('price meets the conditions of a trend' AS varchar) AS condition,
  CAST(n_graded AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('price says BUY' AS varchar) AS condition,
  CAST(n_trend_buy AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('price says SELL' AS varchar) AS condition,
  CAST(n_trend_sell AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('sentiment and price contradict each other' AS varchar) AS condition,
  CAST(n_contradict AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('STOCK row BUY' AS varchar) AS condition,
  CAST(n_stock_buy AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('STOCK row SELL' AS varchar) AS condition,
  CAST(n_stock_sell AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('OPTION row CALL' AS varchar) AS condition,
  CAST(n_call AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('OPTION row PUT' AS varchar) AS condition,
  CAST(n_put AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('the session was partial' AS varchar) AS condition,
  CAST(n_partial AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
