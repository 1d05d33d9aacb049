-- Plain mean polarity of those who wrote before a session. One row per (session, ticker).
-- Reads daily_sentiment of the sessions :first to :last.
SELECT
  CAST(session AS date) AS session,
  CAST(ticker AS varchar) AS ticker,
  CAST(n_tweets AS bigint) AS n_tweets,
  CAST(polarity_plain AS double) AS polarity
FROM daily_sentiment
WHERE session BETWEEN :first AND :last
