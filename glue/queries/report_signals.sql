-- Signals with their reasons. One row per (session, ticker, kind).
-- Reads daily_signals of the sessions :first to :last.
SELECT
  CAST(session AS date) AS session,
  CAST(ticker AS varchar) AS ticker,
  CAST(kind AS varchar) AS kind,
  CAST(direction AS varchar) AS direction,
  CAST(instrument AS varchar) AS instrument,
  CAST(confidence AS double) AS confidence,
  CAST(reasons AS varchar) AS reasons,
  CAST(sentiment_signal AS varchar) AS sentiment_signal,
  CAST(trend_signal AS varchar) AS trend_signal,
  CAST(polarity AS double) AS polarity,
  CAST(polarity_change AS double) AS polarity_change,
  CAST(change_threshold AS double) AS change_threshold,
  CAST(partial AS boolean) AS partial
FROM daily_signals
WHERE session BETWEEN :first AND :last
ORDER BY session, ticker, kind
