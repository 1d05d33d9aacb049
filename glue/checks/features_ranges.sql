-- fail: features are of bars before the session, and lie where they can lie. One row per (ticker) that does not.
-- Reads daily_features of :session.
WITH judged AS (
  SELECT
    ticker,
    CASE
      WHEN last_session >= CAST(:session AS date) THEN 'the last bar is not before the session'
      WHEN n_bars < 1 THEN 'no bars'
      WHEN least(open, high, low, close, adjusted_close) <= 0e0 THEN 'a price that is not positive'
      WHEN low > high THEN 'low above high'
      WHEN volume < 0 OR volume_ratio < 0e0 THEN 'negative volume'
      WHEN atr14 < 0e0 OR volatility20 < 0e0 THEN 'negative range or volatility'
      WHEN abs(trend_state) > 1 OR abs(weekly_trend) > 1 THEN 'a trend beyond 1'
      WHEN "cross" NOT IN ('golden', 'death') THEN 'an unknown cross'
      WHEN ("cross" IS NULL) <> (cross_text IS NULL) THEN 'a cross without its text'
      WHEN regime_multiplier < 0e0 OR regime_multiplier > 1e0 THEN 'regime multiplier'
    END AS problem
  FROM daily_features
  WHERE session = :session
)

SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(problem AS varchar) AS problem
FROM judged
WHERE problem IS NOT NULL
