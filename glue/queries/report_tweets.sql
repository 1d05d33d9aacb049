-- The posts behind a cell, the most telling first, at most :per_cell. One row per (session, ticker, tweet_id).
-- Reads tweets of the runs :first_dt to :last_dt and daily_sentiment, both of the sessions :first to :last.
-- First the posts that weighed most in the score, then by the parts of the weight that a post has alone.
WITH heaviest AS (
  SELECT session, ticker, top_tweet_ids
  FROM daily_sentiment
  WHERE session BETWEEN :first AND :last
),
posts AS (
  SELECT
    session, ticker, tweet_id, created_at, author, author_name, author_followers, lang, text, url,
    likes, retweets, replies, sentiment, polarity, flags, is_key_influencer,
    influence * authenticity * engagement_factor AS standing,
    row_number() OVER (PARTITION BY session, ticker, tweet_id ORDER BY dt) AS copy
  FROM tweets
  WHERE dt BETWEEN :first_dt AND :last_dt AND session BETWEEN :first AND :last
),
placed AS (
  SELECT
    p.session, p.ticker, p.tweet_id, p.created_at, p.author, p.author_name, p.author_followers,
    p.lang, p.text, p.url, p.likes, p.retweets, p.replies, p.sentiment, p.polarity, p.flags,
    p.is_key_influencer, p.standing,
    COALESCE(strpos(h.top_tweet_ids, concat('"', p.tweet_id, '"')), 0) AS heavy
  FROM posts AS p
  LEFT JOIN heaviest AS h ON h.session = p.session AND h.ticker = p.ticker
  WHERE p.copy = 1
),
ranked AS (
  SELECT
    session, ticker, tweet_id, created_at, author, author_name, author_followers, lang, text, url,
    likes, retweets, replies, sentiment, polarity, flags, is_key_influencer, heavy,
    row_number() OVER (
      PARTITION BY session, ticker
      ORDER BY
        CASE WHEN heavy > 0 THEN 0 ELSE 1 END, heavy, standing DESC, created_at DESC, tweet_id
    ) AS place
  FROM placed
)
SELECT
  CAST(session AS date) AS session,
  CAST(ticker AS varchar) AS ticker,
  CAST(tweet_id AS varchar) AS tweet_id,
  CAST(place AS bigint) AS place,
  CAST(heavy > 0 AS boolean) AS heavy,
  CAST(created_at AS timestamp) AS created_at,
  CAST(author AS varchar) AS author,
  CAST(author_name AS varchar) AS author_name,
  CAST(author_followers AS bigint) AS author_followers,
  CAST(lang AS varchar) AS lang,
  CAST(text AS varchar) AS text,
  CAST(url AS varchar) AS url,
  CAST(likes AS bigint) AS likes,
  CAST(retweets AS bigint) AS retweets,
  CAST(replies AS bigint) AS replies,
  CAST(sentiment AS varchar) AS sentiment,
  CAST(polarity AS double) AS polarity,
  CAST(array_join(flags, ',') AS varchar) AS flags,
  CAST(is_key_influencer AS boolean) AS is_key_influencer
FROM ranked
WHERE place <= :per_cell
ORDER BY session, ticker, place
