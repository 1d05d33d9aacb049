-- The newest headline of a ticker. One row per (session, ticker) with news.
-- Reads daily_news of the sessions :first to :last.
SELECT
  CAST(session AS date) AS session,
  CAST(ticker AS varchar) AS ticker,
  CAST(n_news AS bigint) AS n_news,
  CAST(polarity AS double) AS polarity,
  CAST(top_title AS varchar) AS top_title
FROM daily_news
WHERE session BETWEEN :first AND :last
ORDER BY session, ticker
