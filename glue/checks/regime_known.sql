-- warn: the regime of the market is known, or nothing is traded. One row per (session) in which it is not.
-- Reads daily_features of :session.
SELECT
  CAST(max(last_session) AS date) AS last_session,
  CAST(count(*) AS bigint) AS n_tickers
FROM daily_features
WHERE session = :session
HAVING count(*) > 0 AND count(regime_multiplier) = 0
