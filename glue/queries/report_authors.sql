-- The authors with the most engagement; a post about two tickers counts once. One row per author, at most :top.
-- Reads tweets of the runs :first_dt to :last_dt, posts of the sessions :first to :last.
WITH posts AS (
  SELECT tweet_id, max(author) AS author, max(COALESCE(engagement, 0)) AS engagement
  FROM tweets
  WHERE dt BETWEEN :first_dt AND :last_dt AND session BETWEEN :first AND :last
  GROUP BY tweet_id
),
authors AS (
  SELECT author, sum(engagement) AS engagement, count(*) AS n_tweets
  FROM posts
  GROUP BY author
),
ranked AS (
  SELECT
    author, engagement, n_tweets,
    row_number() OVER (ORDER BY engagement DESC, n_tweets DESC, author) AS place
  FROM authors
)
SELECT
  CAST(author AS varchar) AS author,
  CAST(engagement AS bigint) AS engagement,
  CAST(n_tweets AS bigint) AS n_tweets
FROM ranked
WHERE place <= :top
ORDER BY place
