-- Every order, newest first. One row per order.
-- Reads trades of the sessions :first to :last.
SELECT
  CAST(session AS date) AS session,
  CAST(timestamp AS timestamp) AS timestamp,
  CAST(account AS varchar) AS account,
  CAST(mode AS varchar) AS mode,
  CAST(symbol AS varchar) AS symbol,
  CAST(ticker AS varchar) AS ticker,
  CAST(leg AS varchar) AS leg,
  CAST(direction AS varchar) AS direction,
  CAST(quantity AS double) AS quantity,
  CAST(filled_quantity AS double) AS filled_quantity,
  CAST(filled_price AS double) AS filled_price,
  CAST(fees AS double) AS fees,
  CAST(sentiment_change AS double) AS sentiment_change,
  CAST(confidence AS double) AS confidence,
  CAST(realised AS double) AS realised,
  CAST(status AS varchar) AS status,
  CAST(reason AS varchar) AS reason,
  CAST(trade_id AS varchar) AS trade_id
FROM trades
WHERE session BETWEEN :first AND :last
ORDER BY session DESC, timestamp DESC, trade_id
