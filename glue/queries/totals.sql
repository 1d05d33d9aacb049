-- Everything collected, in one line. One row per query.
-- Reads tweets of the runs :first to :last.
WITH posts AS (
  -- A post about two tickers, or seen by two runs, counts once.
  SELECT
    tweet_id,
    max(author) AS author,
    min(dt) AS dt,
    max(likes) AS likes,
    max(retweets) AS retweets,
    max(replies) AS replies,
    max(quotes) AS quotes,
    count(DISTINCT ticker) AS n_tickers
  FROM tweets
  WHERE dt BETWEEN :first AND :last
  GROUP BY tweet_id
)

SELECT
  CAST(count(*) AS bigint) AS n_tweets,
  CAST(sum(n_tickers) AS bigint) AS n_rows,
  CAST(count(DISTINCT author) AS bigint) AS n_authors,
  CAST(count(DISTINCT dt) AS bigint) AS n_days,
  CAST(sum(likes) AS bigint) AS likes,
  CAST(sum(retweets) AS bigint) AS retweets,
  CAST(sum(replies) AS bigint) AS replies,
  CAST(sum(quotes) AS bigint) AS quotes
FROM posts
