-- fail: no tweet from the cutoff on is behind a signal. One row per (ticker, tweet_id) that is.
-- Reads tweets of the runs :first_dt to :last_dt and daily_sentiment of :session.
SELECT
  CAST(tweets.ticker AS varchar) AS ticker,
  CAST(tweets.tweet_id AS varchar) AS tweet_id,
  CAST(tweets.created_at AS timestamp) AS created_at
FROM tweets
INNER JOIN daily_sentiment
  ON
    daily_sentiment.ticker = tweets.ticker
    AND strpos(daily_sentiment.top_tweet_ids, '"' || tweets.tweet_id || '"') > 0
WHERE
  tweets.dt BETWEEN :first_dt AND :last_dt
  AND tweets.created_at >= :cutoff
  AND daily_sentiment.session = :session
