-- What the feeds wrote about a ticker. One row per (session, ticker).
-- Reads news of the session's runs, :first_dt to :last_dt, published before the cutoff.
WITH collected AS (
  SELECT
    ticker,
    news_id,
    published_at,
    source,
    title,
    url,
    sentiment,
    polarity,
    -- An item that two runs collected counts once, as the first one saw it.
    row_number() OVER (PARTITION BY ticker, news_id ORDER BY dt) AS sighting
  FROM news
  WHERE
    dt BETWEEN :first_dt AND :last_dt
    AND session = :session
    AND published_at < :cutoff
),

-- A run's items tell each story once; so do the runs of a weekend together: one page counts once,
-- and a headline only from the feed that had it first.
stories AS (
  SELECT
    *,
    row_number() OVER (
      PARTITION BY ticker, coalesce(url, news_id) ORDER BY published_at, source, news_id
    ) AS copy,
    first_value(source) OVER (
      PARTITION BY ticker, coalesce(nullif(lower(title), ''), news_id)
      ORDER BY published_at, source, news_id
    ) AS teller
  FROM collected
  WHERE sighting = 1
),

placed AS (
  SELECT
    *,
    row_number() OVER (PARTITION BY ticker ORDER BY published_at DESC, news_id) AS place
  FROM stories
  WHERE copy = 1 AND source = teller
)

SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(count(*) AS bigint) AS n_news,
  CAST(count(DISTINCT source) AS bigint) AS n_sources,
  CAST(avg(polarity) AS double) AS polarity,
  CAST(
    CAST(count(CASE WHEN sentiment = 'positive' THEN 1 END) AS double)
    / NULLIF(CAST(count(sentiment) AS double), 0e0) AS double
  ) AS share_positive,
  CAST(
    CAST(count(CASE WHEN sentiment = 'negative' THEN 1 END) AS double)
    / NULLIF(CAST(count(sentiment) AS double), 0e0) AS double
  ) AS share_negative,
  CAST(max(published_at) AS timestamp) AS latest_at,
  CAST(max(CASE WHEN place = 1 THEN title END) AS varchar) AS top_title,
  CAST(json_format(CAST(array_agg(news_id ORDER BY place) AS json)) AS varchar) AS news_ids,
  CAST(:config_hash AS varchar) AS config_hash,
  CAST(:run_id AS varchar) AS run_id
FROM placed
GROUP BY ticker
