-- When each ticker is talked about, New York time. One row per (ticker, hour_ny).
-- Reads tweets of the runs :first_dt to :last_dt, posts of the sessions :first to :last.
SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(hour_ny AS integer) AS hour_ny,
  CAST(count(*) AS bigint) AS n_tweets
FROM tweets
WHERE dt BETWEEN :first_dt AND :last_dt AND session BETWEEN :first AND :last
GROUP BY ticker, hour_ny
ORDER BY ticker, hour_ny
