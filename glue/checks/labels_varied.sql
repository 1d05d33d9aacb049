-- warn: no label is on nearly every tweet. One row per (session) in which one is: look at the model.
-- Reads daily_sentiment of :session.
WITH summed AS (
  SELECT
    CAST(sum(n_tweets) AS double) AS n_tweets,
    sum(share_positive * CAST(n_tweets AS double)) AS n_positive,
    sum(share_neutral * CAST(n_tweets AS double)) AS n_neutral,
    sum(share_negative * CAST(n_tweets AS double)) AS n_negative
  FROM daily_sentiment
  WHERE session = :session
)

SELECT
  CAST(n_tweets AS bigint) AS n_tweets,
  CAST(n_positive / n_tweets AS double) AS share_positive,
  CAST(n_neutral / n_tweets AS double) AS share_neutral,
  CAST(n_negative / n_tweets AS double) AS share_negative
FROM summed
WHERE
  n_tweets >= CAST(:min_labelled_tweets AS double)
  AND greatest(n_positive, n_neutral, n_negative) / n_tweets > :max_share_one_label
