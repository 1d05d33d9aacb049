-- What each account held after the close; symbol CASH carries the account. One row per (session, account, symbol).
-- Reads positions of the sessions :first to :last.
SELECT
  CAST(session AS date) AS session,
  CAST(account AS varchar) AS account,
  CAST(symbol AS varchar) AS symbol,
  CAST(ticker AS varchar) AS ticker,
  CAST(instrument AS varchar) AS instrument,
  CAST(quantity AS double) AS quantity,
  CAST(average_price AS double) AS average_price,
  CAST(mark AS double) AS mark,
  CAST(market_value AS double) AS market_value,
  CAST(unrealised AS double) AS unrealised,
  CAST(equity AS double) AS equity,
  CAST(previous_equity AS double) AS previous_equity,
  CAST(opened AS date) AS opened,
  CAST(stop AS double) AS stop,
  CAST(target AS double) AS target,
  CAST(mode AS varchar) AS mode
FROM positions
WHERE session BETWEEN :first AND :last
ORDER BY session, account, symbol
