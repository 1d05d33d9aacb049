-- The author with the most engagement about each ticker. One row per ticker.
-- Reads tweets of the runs :first_dt to :last_dt, posts of the sessions :first to :last.
WITH authors AS (
  SELECT ticker, author, sum(COALESCE(engagement, 0)) AS engagement, count(*) AS n_tweets
  FROM tweets
  WHERE dt BETWEEN :first_dt AND :last_dt AND session BETWEEN :first AND :last
  GROUP BY ticker, author
),
ranked AS (
  SELECT
    ticker, author, engagement, n_tweets,
    row_number() OVER (
      PARTITION BY ticker ORDER BY engagement DESC, n_tweets DESC, author
    ) AS place
  FROM authors
)
SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(author AS varchar) AS author,
  CAST(engagement AS bigint) AS engagement,
  CAST(n_tweets AS bigint) AS n_tweets
FROM ranked
WHERE place = 1
ORDER BY engagement DESC, n_tweets DESC, ticker
