-- What each account was worth after each session. One row per (session, account).
-- Reads positions of the sessions :first to :last, of which CASH carries the account.
SELECT
  CAST(session AS date) AS session,
  CAST(account AS varchar) AS account,
  CAST(mode AS varchar) AS mode,
  CAST(equity AS double) AS equity,
  CAST(previous_equity AS double) AS previous_equity,
  CAST(equity - previous_equity AS double) AS gain,
  CAST(market_value AS double) AS cash,
  CAST(equity - market_value AS double) AS invested
FROM positions
WHERE session BETWEEN :first AND :last AND symbol = 'CASH'
ORDER BY session, account
