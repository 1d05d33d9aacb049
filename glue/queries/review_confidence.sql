-- How large the confidences of sentiment get. One row per (confidence).
-- Reads daily_sentiment and daily_signals of the sessions :first to :last.
SELECT
  CAST('of the reference' AS varchar) AS confidence,
  CAST(count(confidence_reference) AS bigint) AS n,
  CAST(avg(confidence_reference) AS double) AS mean,
  CAST(max(confidence_reference) AS double) AS largest
FROM daily_sentiment
WHERE session BETWEEN :first AND :last
UNION ALL
SELECT
  CAST('of sentiment' AS varchar) AS confidence,
  CAST(count(sentiment_confidence) AS bigint) AS n,
  CAST(avg(sentiment_confidence) AS double) AS mean,
  CAST(max(sentiment_confidence) AS double) AS largest
FROM daily_signals
WHERE session BETWEEN :first AND :last AND kind = 'STOCK'
UNION ALL
SELECT
  CAST('of the trend' AS varchar) AS confidence,
  CAST(count(trend_confidence) AS bigint) AS n,
  CAST(avg(trend_confidence) AS double) AS mean,
  CAST(max(trend_confidence) AS double) AS largest
FROM daily_signals
WHERE session BETWEEN :first AND :last AND kind = 'STOCK'
