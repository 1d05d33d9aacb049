-- What was collected for a session in each run. One row per (dt, session, ticker).
-- Reads tweets of the runs :first_dt to :last_dt, posts of the sessions :first to :last.
SELECT
  CAST(dt AS date) AS dt,
  CAST(session AS date) AS session,
  CAST(ticker AS varchar) AS ticker,
  CAST(count(*) AS bigint) AS n_tweets,
  CAST(sum(CASE WHEN source = 'synthetic' THEN 1 ELSE 0 END) AS bigint) AS n_synthetic
FROM tweets
WHERE dt BETWEEN :first_dt AND :last_dt AND session BETWEEN :first AND :last
GROUP BY dt, session, ticker
ORDER BY dt, session, ticker
