-- Implied volatility at the money of a ticker's chain by expiry. One row per (dt, ticker, expiry).
-- Reads options of :ticker in the runs :first to :last; contracts with a quote, a volatility and a life left.
WITH quoted AS (
  SELECT
    dt,
    ticker,
    expiry,
    option_right,
    strike,
    underlying_price,
    iv,
    mid,
    ask - bid AS spread,
    row_number() OVER (
      PARTITION BY dt, ticker, expiry, option_right
      ORDER BY abs(strike - underlying_price), strike, contract
    ) AS nearness
  FROM options
  WHERE
    dt BETWEEN :first AND :last
    AND ticker = :ticker
    AND iv IS NOT NULL
    AND mid > 0
    AND underlying_price IS NOT NULL
    AND NOT contains(flags, 'expired')
    AND NOT contains(flags, 'crossed')
)

SELECT
  CAST(dt AS date) AS dt,
  CAST(ticker AS varchar) AS ticker,
  CAST(expiry AS date) AS expiry,
  CAST(min(underlying_price) AS double) AS underlying_price,
  CAST(avg(iv) AS double) AS iv,
  CAST(avg(CASE WHEN option_right = 'CALL' THEN iv END) AS double) AS call_iv,
  CAST(avg(CASE WHEN option_right = 'PUT' THEN iv END) AS double) AS put_iv,
  CAST(avg(spread / mid) AS double) AS spread_share
FROM quoted
WHERE nearness = 1
GROUP BY dt, ticker, expiry
ORDER BY dt, ticker, expiry
