-- At which hours, New York time, each ticker is talked about. One row per (ticker, hour_ny).
-- Reads tweets of the runs :first to :last.
SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(hour_ny AS integer) AS hour_ny,
  CAST(count(*) AS bigint) AS n_tweets,
  CAST(avg(polarity) AS double) AS polarity
FROM tweets
WHERE dt BETWEEN :first AND :last
GROUP BY ticker, hour_ny
ORDER BY ticker, hour_ny
