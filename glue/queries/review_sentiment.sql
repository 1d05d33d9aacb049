-- How often each condition of the sentiment signal holds. One row per (condition).
-- Reads daily_sentiment of the sessions :first to :last.
WITH tested AS (
  SELECT
    n_effective >= :min_tweets AS passes_now,
    n_effective >= :min_tweets AND previous_n_effective >= :min_tweets AS passes_both,
    abs(polarity_change) >= :change_threshold AS is_far,
    abs(polarity_change) >= :change_sigmas * change_se AS is_significant,
    polarity * polarity_change > 0e0 AS is_signed,
    z IS NOT NULL AS has_z,
    abs(z) >= 2e0 AS is_unusual
  FROM daily_sentiment
  WHERE session BETWEEN :first AND :last
),

counted AS (
  SELECT
    count(*) AS n_all,
    count(CASE WHEN passes_now THEN 1 END) AS n_now,
    count(CASE WHEN passes_both THEN 1 END) AS n_both,
    count(CASE WHEN passes_both AND is_far THEN 1 END) AS n_far,
    count(CASE WHEN passes_both AND is_significant THEN 1 END) AS n_significant,
    count(CASE WHEN passes_both AND is_signed THEN 1 END) AS n_signed,
    count(CASE WHEN passes_both AND is_far AND is_significant AND is_signed THEN 1 END) AS n_fired,
    count(CASE WHEN has_z THEN 1 END) AS n_z,
    count(CASE WHEN has_z AND is_unusual THEN 1 END) AS n_unusual
  FROM tested
)

SELECT
  CAST('enough tweets in this session' AS varchar) AS condition,
  CAST(n_now AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('enough tweets in both sessions' AS varchar) AS condition,
  CAST(n_both AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('change reaches the threshold' AS varchar) AS condition,
  CAST(n_far AS bigint) AS n,
  CAST(n_both AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('change reaches its standard errors' AS varchar) AS condition,
  CAST(n_significant AS bigint) AS n,
  CAST(n_both AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('level has the sign of the change' AS varchar) AS condition,
  CAST(n_signed AS bigint) AS n,
  CAST(n_both AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('all three' AS varchar) AS condition,
  CAST(n_fired AS bigint) AS n,
  CAST(n_both AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('z is known' AS varchar) AS condition,
  CAST(n_z AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('z is 2 or more either way' AS varchar) AS condition,
  CAST(n_unusual AS bigint) AS n,
  CAST(n_z AS bigint) AS n_of
FROM counted
