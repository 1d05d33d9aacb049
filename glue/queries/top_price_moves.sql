-- The five largest daily price moves, up or down. One row per (ticker, last_session), at most five.
-- Reads daily_features of the sessions :first to :last.
WITH bars AS (
  SELECT
    ticker,
    last_session,
    previous_close,
    adjusted_close,
    change_percent,
    volume_ratio,
    -- A bar that is still the last one a session later is shown once, as first known.
    row_number() OVER (PARTITION BY ticker, last_session ORDER BY session) AS sighting
  FROM daily_features
  WHERE session BETWEEN :first AND :last AND change_percent IS NOT NULL
)

SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(last_session AS date) AS last_session,
  CAST(previous_close AS double) AS previous_close,
  CAST(adjusted_close AS double) AS adjusted_close,
  CAST(change_percent AS double) AS change_percent,
  CAST(volume_ratio AS double) AS volume_ratio
FROM bars
WHERE sighting = 1
ORDER BY abs(change_percent) DESC, last_session DESC, ticker
LIMIT 5
