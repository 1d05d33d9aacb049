-- Prices and the averages that the signals saw, on one scale. One row per (ticker, bar_session).
-- Reads daily_features of the sessions :first to :last and prices of the runs :first_dt to :last_dt.
-- A feature row is on the scale of its own run; a later split or dividend changes it. The newest
-- bars say by how much, so the averages are multiplied by new close / close as known then.
WITH newest AS (
  SELECT ticker, max(dt) AS dt
  FROM prices
  WHERE dt BETWEEN :first_dt AND :last_dt
  GROUP BY ticker
),
bars AS (
  SELECT p.ticker, p.session, p.close, p.adjusted_close, p.volume
  FROM prices AS p
  JOIN newest AS n ON n.ticker = p.ticker AND n.dt = p.dt
  WHERE p.dt BETWEEN :first_dt AND :last_dt
),
known AS (
  SELECT
    ticker, last_session, session, close, adjusted_close, volume, sma5, sma20, "cross",
    row_number() OVER (PARTITION BY ticker, last_session ORDER BY session) AS nth
  FROM daily_features
  WHERE session BETWEEN :first AND :last
)
SELECT
  CAST(k.ticker AS varchar) AS ticker,
  CAST(k.last_session AS date) AS bar_session,
  CAST(COALESCE(b.close, k.close) AS double) AS close,
  CAST(COALESCE(b.adjusted_close, k.adjusted_close) AS double) AS adjusted_close,
  CAST(COALESCE(b.volume, k.volume) AS bigint) AS volume,
  CAST(k.sma5 * COALESCE(b.adjusted_close / NULLIF(k.adjusted_close, 0), 1) AS double) AS sma5,
  CAST(k.sma20 * COALESCE(b.adjusted_close / NULLIF(k.adjusted_close, 0), 1) AS double) AS sma20,
  CAST(k."cross" AS varchar) AS "cross"
FROM known AS k
LEFT JOIN bars AS b ON b.ticker = k.ticker AND b.session = k.last_session
WHERE k.nth = 1
ORDER BY k.ticker, k.last_session
