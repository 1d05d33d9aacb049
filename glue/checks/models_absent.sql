-- warn: every model of the ensemble answered. One row per (absent) list of those that did not, with the tweets it concerns.
-- Reads tweets of the runs :first_dt to :last_dt.
WITH told AS (
  SELECT substr(models, 12, strpos(models, ']') - 12) AS absent
  FROM tweets
  WHERE
    dt BETWEEN :first_dt AND :last_dt
    AND session = :session
    AND created_at < :cutoff
    AND strpos(models, '{"absent":[') = 1
)

SELECT
  CAST(absent AS varchar) AS absent,
  CAST(count(*) AS bigint) AS n_tweets
FROM told
GROUP BY absent
