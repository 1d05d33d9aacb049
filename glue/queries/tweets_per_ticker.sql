-- How much each ticker is talked about. One row per ticker.
-- Reads tweets of the runs :first to :last.
SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(count(DISTINCT tweet_id) AS bigint) AS n_tweets,
  CAST(count(DISTINCT author) AS bigint) AS n_authors,
  CAST(sum(likes) AS bigint) AS likes,
  CAST(sum(retweets) AS bigint) AS retweets,
  CAST(sum(replies) AS bigint) AS replies,
  CAST(sum(engagement) AS bigint) AS engagement
FROM tweets
WHERE dt BETWEEN :first AND :last
GROUP BY ticker
ORDER BY n_tweets DESC, ticker
