-- The ten newest tweets, to see what a row holds. One row per (tweet_id, ticker), at most ten.
-- Reads tweets of the runs :first to :last.
SELECT
  CAST(dt AS date) AS dt,
  CAST(session AS date) AS session,
  CAST(ticker AS varchar) AS ticker,
  CAST(tweet_id AS varchar) AS tweet_id,
  CAST(created_at AS timestamp) AS created_at,
  CAST(author AS varchar) AS author,
  CAST(text AS varchar) AS text,
  CAST(likes AS bigint) AS likes,
  CAST(sentiment AS varchar) AS sentiment,
  CAST(polarity AS double) AS polarity,
  CAST(authenticity AS double) AS authenticity,
  CAST(source AS varchar) AS source
FROM tweets
WHERE dt BETWEEN :first AND :last
ORDER BY created_at DESC, ticker, tweet_id, dt
LIMIT 10
