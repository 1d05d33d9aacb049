-- How often each regime of the market held. One row per (multiplier).
-- Reads daily_features of the sessions :first to :last.
WITH days AS (
  SELECT
    session,
    max(regime_multiplier) AS multiplier
  FROM daily_features
  WHERE session BETWEEN :first AND :last
  GROUP BY session
)

SELECT
  CAST(multiplier AS double) AS multiplier,
  CAST(count(*) AS bigint) AS n,
  CAST(sum(count(*)) OVER () AS bigint) AS n_of
FROM days
GROUP BY multiplier
ORDER BY multiplier NULLS LAST
