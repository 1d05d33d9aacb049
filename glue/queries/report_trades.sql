-- Orders and their fills. One row per order.
-- Reads trades of the sessions :first to :last.
SELECT
  CAST(session AS date) AS session,
  CAST(trade_id AS varchar) AS trade_id,
  CAST(account AS varchar) AS account,
  CAST(mode AS varchar) AS mode,
  CAST(simulated AS boolean) AS simulated,
  CAST(symbol AS varchar) AS symbol,
  CAST(ticker AS varchar) AS ticker,
  CAST(instrument AS varchar) AS instrument,
  CAST(leg AS varchar) AS leg,
  CAST(direction AS varchar) AS direction,
  CAST(quantity AS double) AS quantity,
  CAST(filled_quantity AS double) AS filled_quantity,
  CAST(price AS double) AS price,
  CAST(filled_price AS double) AS filled_price,
  CAST(fees AS double) AS fees,
  CAST(confidence AS double) AS confidence,
  CAST(status AS varchar) AS status,
  CAST(reason AS varchar) AS reason,
  CAST(realised AS double) AS realised
FROM trades
WHERE session BETWEEN :first AND :last
ORDER BY session, account, symbol, trade_id
