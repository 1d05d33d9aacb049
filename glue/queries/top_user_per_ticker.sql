-- The author whose tweets about a ticker drew the most engagement. One row per ticker.
-- Reads tweets of the runs :first to :last.
WITH authors AS (
  SELECT
    ticker,
    author,
    count(*) AS n_tweets,
    sum(COALESCE(engagement, 0)) AS engagement,
    max(author_followers) AS followers,
    avg(polarity) AS polarity
  FROM tweets
  WHERE dt BETWEEN :first AND :last
  GROUP BY ticker, author
),

placed AS (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY ticker ORDER BY engagement DESC, n_tweets DESC, author
    ) AS place
  FROM authors
)

SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(author AS varchar) AS author,
  CAST(n_tweets AS bigint) AS n_tweets,
  CAST(engagement AS bigint) AS engagement,
  CAST(followers AS bigint) AS followers,
  CAST(polarity AS double) AS polarity
FROM placed
WHERE place = 1
ORDER BY engagement DESC, ticker
