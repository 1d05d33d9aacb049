-- fail: a ticker has one row in each table of the session, and two in daily_signals. One row per (table, ticker) that breaks this.
-- Reads all tables of :session.
WITH counted AS (
  SELECT 'daily_sentiment' AS place, ticker, count(*) AS n, 1 AS wanted
  FROM daily_sentiment
  WHERE session = :session
  GROUP BY ticker
  UNION ALL
  SELECT 'daily_features' AS place, ticker, count(*) AS n, 1 AS wanted
  FROM daily_features
  WHERE session = :session
  GROUP BY ticker
  UNION ALL
  SELECT 'daily_news' AS place, ticker, count(*) AS n, 1 AS wanted
  FROM daily_news
  WHERE session = :session
  GROUP BY ticker
  UNION ALL
  SELECT 'ranking' AS place, ticker, count(*) AS n, 1 AS wanted
  FROM ranking
  WHERE session = :session
  GROUP BY ticker
  UNION ALL
  SELECT 'daily_signals' AS place, ticker, count(DISTINCT kind) AS n, 2 AS wanted
  FROM daily_signals
  WHERE session = :session
  GROUP BY ticker
)

SELECT
  CAST(place AS varchar) AS place,
  CAST(ticker AS varchar) AS ticker,
  CAST(n AS bigint) AS n,
  CAST(wanted AS bigint) AS wanted
FROM counted
WHERE n <> wanted
