-- fail: a change of sentiment exists exactly where both sessions pass the gate. One row per (ticker) that breaks this.
-- Reads daily_sentiment of :session.
SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(n_effective AS double) AS n_effective,
  CAST(previous_n_effective AS double) AS previous_n_effective,
  CAST(polarity_change AS double) AS polarity_change,
  CAST(change_se AS double) AS change_se
FROM daily_sentiment
WHERE
  session = :session
  AND (
    (polarity_change IS NOT NULL)
    <> COALESCE(n_effective >= :min_tweets AND previous_n_effective >= :min_tweets, false)
    OR (polarity_change IS NULL AND change_se IS NOT NULL)
    OR abs(polarity - previous_polarity - polarity_change) > 1e-6
  )
