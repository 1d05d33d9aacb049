-- What each account holds after its last settled session; CASH is its cash. One row per (account, symbol).
-- Reads positions of the sessions :first to :last.
WITH placed AS (
  SELECT
    *,
    dense_rank() OVER (PARTITION BY account ORDER BY session DESC) AS age
  FROM positions
  WHERE session BETWEEN :first AND :last
)

SELECT
  CAST(session AS date) AS session,
  CAST(account AS varchar) AS account,
  CAST(symbol AS varchar) AS symbol,
  CAST(quantity AS double) AS quantity,
  CAST(average_price AS double) AS average_price,
  CAST(mark AS double) AS mark,
  CAST(market_value AS double) AS market_value,
  CAST(unrealised AS double) AS unrealised,
  CAST(market_value / NULLIF(equity, 0e0) AS double) AS share_of_equity,
  CAST(opened AS date) AS opened,
  CAST(stop AS double) AS stop,
  CAST(target AS double) AS target,
  CAST(mode AS varchar) AS mode
FROM placed
WHERE age = 1
ORDER BY account, symbol
