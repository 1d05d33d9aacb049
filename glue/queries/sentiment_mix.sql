-- How positive, neutral and negative the tweets of each ticker are. One row per (ticker, sentiment).
-- Reads tweets of the runs :first to :last.
WITH labelled AS (
  SELECT
    ticker,
    sentiment,
    count(*) AS n_tweets,
    avg(polarity) AS polarity,
    avg(sentiment_score) AS sentiment_score
  FROM tweets
  WHERE dt BETWEEN :first AND :last AND sentiment IS NOT NULL
  GROUP BY ticker, sentiment
)

SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(sentiment AS varchar) AS sentiment,
  CAST(n_tweets AS bigint) AS n_tweets,
  CAST(
    CAST(n_tweets AS double) / sum(n_tweets) OVER (PARTITION BY ticker) AS double
  ) AS share,
  CAST(polarity AS double) AS polarity,
  CAST(sentiment_score AS double) AS sentiment_score
FROM labelled
ORDER BY ticker, sentiment
