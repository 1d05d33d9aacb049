-- Mean daily volume of each symbol. One row per ticker.
-- Reads daily_features of the sessions :first to :last.
WITH bars AS (
  SELECT
    ticker,
    last_session,
    volume,
    close,
    row_number() OVER (PARTITION BY ticker, last_session ORDER BY session) AS sighting
  FROM daily_features
  WHERE session BETWEEN :first AND :last
)

SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(count(*) AS bigint) AS n_sessions,
  CAST(avg(volume) AS double) AS average_volume,
  CAST(avg(volume * close) AS double) AS average_dollar_volume
FROM bars
WHERE sighting = 1
GROUP BY ticker
ORDER BY average_volume DESC, ticker
