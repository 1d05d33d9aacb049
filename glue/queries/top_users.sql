-- The fifteen authors with the most engagement; a post about two tickers counts once. One row per author, at most fifteen.
-- Reads tweets of the runs :first to :last.
WITH posts AS (
  SELECT
    tweet_id,
    max(author) AS author,
    max(COALESCE(engagement, 0)) AS engagement,
    max(author_followers) AS followers,
    avg(polarity) AS polarity,
    count(DISTINCT ticker) AS n_tickers
  FROM tweets
  WHERE dt BETWEEN :first AND :last
  GROUP BY tweet_id
)

SELECT
  CAST(author AS varchar) AS author,
  CAST(count(*) AS bigint) AS n_tweets,
  CAST(sum(engagement) AS bigint) AS engagement,
  CAST(max(followers) AS bigint) AS followers,
  CAST(max(n_tickers) AS bigint) AS most_tickers_in_a_tweet,
  CAST(avg(polarity) AS double) AS polarity
FROM posts
GROUP BY author
ORDER BY engagement DESC, n_tweets DESC, author
LIMIT 15
