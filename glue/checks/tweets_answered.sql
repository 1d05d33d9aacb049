-- warn: the model answered every tweet of the session; those it did not are in no signal. One row per (ticker) with any.
-- Reads tweets of the runs :first_dt to :last_dt.
SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(count(*) AS bigint) AS n_unanswered
FROM tweets
WHERE
  dt BETWEEN :first_dt AND :last_dt
  AND session = :session
  AND created_at < :cutoff
  AND polarity IS NULL
GROUP BY ticker
