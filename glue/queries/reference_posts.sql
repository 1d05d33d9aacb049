-- The posts behind the reference dashboard; one that two runs saw counts once, as the first saw it. One row per (tweet_id, ticker).
-- Reads tweets of the runs :first_dt to :last_dt, posts of the sessions :first to :last.
--
-- Every figure of the reference dashboard is a sum over these rows: of the static page's second
-- tab, and of QuickSight, whose data set is this text with its days given by the account's clock.
-- A post about two tickers has two rows: figures per ticker count both, others count the post once.
WITH sightings AS (
  SELECT
    session, tweet_id, ticker, created_at, hour_ny, source, author, text, url, likes, retweets,
    replies, engagement, sentiment, polarity, model,
    row_number() OVER (PARTITION BY tweet_id, ticker ORDER BY dt) AS sighting
  FROM tweets
  WHERE dt BETWEEN :first_dt AND :last_dt AND session BETWEEN :first AND :last
)
SELECT
  CAST(session AS date) AS session,
  CAST(tweet_id AS varchar) AS tweet_id,
  CAST(ticker AS varchar) AS ticker,
  CAST(created_at AS timestamp) AS created_at,
  CAST(hour_ny AS integer) AS hour_ny,
  CAST(source AS varchar) AS source,
  CAST(author AS varchar) AS author,
  CAST(text AS varchar) AS text,
  CAST(url AS varchar) AS url,
  CAST(likes AS bigint) AS likes,
  CAST(retweets AS bigint) AS retweets,
  CAST(replies AS bigint) AS replies,
  CAST(engagement AS bigint) AS engagement,
  CAST(COALESCE(sentiment, 'unscored') AS varchar) AS sentiment,
  CAST(polarity AS double) AS polarity,
  CAST(model AS varchar) AS model
FROM sightings
WHERE sighting = 1
ORDER BY session, tweet_id, ticker
