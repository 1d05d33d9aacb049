-- fail: ranks count from 1 and follow the score. One row per (ticker) that breaks this.
-- Reads ranking of :session.
WITH placed AS (
  SELECT
    ticker,
    score,
    rank,
    row_number() OVER (ORDER BY score DESC NULLS LAST, ticker) AS place
  FROM ranking
  WHERE session = :session
)

SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(score AS double) AS score,
  CAST(rank AS bigint) AS rank
FROM placed
WHERE rank <> place OR score < 0e0 OR score > 1e0 + 1e-6
