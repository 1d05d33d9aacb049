-- warn: the last bar is of the session before. One row per (ticker) whose last bar is older.
-- Reads daily_features of :session.
SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(last_session AS date) AS last_session
FROM daily_features
WHERE session = :session AND last_session < CAST(:previous_session AS date)
