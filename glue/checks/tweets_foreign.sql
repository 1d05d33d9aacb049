-- warn: the tweets of the session are in the language that was searched. One row per (session) with too many that are not.
-- Reads tweets of the runs :first_dt to :last_dt.
WITH stated AS (
  SELECT
    CAST(count(*) AS double) AS n_tweets,
    CAST(count(CASE WHEN lang <> :language THEN 1 END) AS double) AS n_foreign
  FROM tweets
  WHERE
    dt BETWEEN :first_dt AND :last_dt
    AND session = :session
    AND created_at < :cutoff
    -- No language, or no words (und, qme …: X's marks for what has none) is no other language.
    AND length(lang) = 2
)

SELECT
  CAST(n_tweets AS bigint) AS n_tweets,
  CAST(ROUND(n_foreign / n_tweets, 4) AS double) AS share_foreign
FROM stated
WHERE
  n_tweets >= CAST(:min_labelled_tweets AS double)
  AND n_foreign / n_tweets > :max_share_foreign
