-- What each signal says, and why, in words. One row per (session, ticker, kind).
-- Reads daily_signals of the sessions :first to :last.
SELECT
  CAST(session AS date) AS session,
  CAST(ticker AS varchar) AS ticker,
  CAST(kind AS varchar) AS kind,
  CAST(direction AS varchar) AS direction,
  CAST(instrument AS varchar) AS instrument,
  CAST(confidence AS double) AS confidence,
  CAST(n_tweets AS bigint) AS n_tweets,
  CAST(polarity AS double) AS polarity,
  CAST(polarity_change AS double) AS polarity_change,
  CAST(change_se AS double) AS change_se,
  CAST(sentiment_signal AS varchar) AS sentiment_signal,
  CAST(trend_signal AS varchar) AS trend_signal,
  CAST(array_join(CAST(json_parse(reasons) AS array(varchar)), ' ') AS varchar) AS reasons
FROM daily_signals
WHERE session BETWEEN :first AND :last
ORDER BY session, ticker, kind
