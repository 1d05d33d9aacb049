-- Bars as one later run knew them. One row per (session, ticker).
-- Reads prices of the run :dt, bars of the sessions :first to :last.
SELECT
  CAST(session AS date) AS session,
  CAST(ticker AS varchar) AS ticker,
  CAST(open AS double) AS open,
  CAST(close AS double) AS close,
  CAST(adjusted_close AS double) AS adjusted_close
FROM prices
WHERE dt = :dt AND session BETWEEN :first AND :last
