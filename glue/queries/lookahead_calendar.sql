-- The same by the UTC date of the post, which leaks the day it is compared with. One row per (session, ticker).
-- Reads tweets of the runs :first_dt to :last_dt.
WITH once AS (
  SELECT
    ticker,
    tweet_id,
    min(CAST(created_at AS date)) AS session,
    max(polarity) AS polarity
  FROM tweets
  WHERE dt BETWEEN :first_dt AND :last_dt AND polarity IS NOT NULL
  GROUP BY ticker, tweet_id
)

SELECT
  CAST(session AS date) AS session,
  CAST(ticker AS varchar) AS ticker,
  CAST(count(*) AS bigint) AS n_tweets,
  CAST(avg(polarity) AS double) AS polarity
FROM once
GROUP BY session, ticker
