-- How often each condition of the trend signal and each price event holds. One row per (condition).
-- Reads daily_features of the sessions :first to :last.
WITH tested AS (
  SELECT
    adjusted_close IS NOT NULL AND sma20 IS NOT NULL
    AND trend_state IS NOT NULL AND volume_ratio IS NOT NULL AS is_known,
    adjusted_close > sma20 AS is_above,
    adjusted_close < sma20 AS is_below,
    trend_state,
    volume_ratio > :trend_volume_ratio AS is_busy,
    volume_ratio > :volume_bonus_ratio AS is_very_busy,
    breakout,
    anomaly,
    "cross" AS crossing,
    regime_multiplier
  FROM daily_features
  WHERE session BETWEEN :first AND :last
),

counted AS (
  SELECT
    count(*) AS n_all,
    count(CASE WHEN is_known THEN 1 END) AS n_known,
    count(CASE WHEN is_known AND is_above THEN 1 END) AS n_above,
    count(CASE WHEN is_known AND trend_state = 1 THEN 1 END) AS n_rising,
    count(CASE WHEN is_known AND trend_state = -1 THEN 1 END) AS n_falling,
    count(CASE WHEN is_known AND is_busy THEN 1 END) AS n_busy,
    count(CASE WHEN is_known AND is_very_busy THEN 1 END) AS n_very_busy,
    count(CASE WHEN is_known AND is_above AND trend_state = 1 AND is_busy THEN 1 END) AS n_bullish,
    count(CASE WHEN is_known AND is_below AND trend_state = -1 AND is_busy THEN 1 END) AS n_bearish,
    count(CASE WHEN breakout THEN 1 END) AS n_breakout,
    count(CASE WHEN anomaly THEN 1 END) AS n_anomaly,
    count(CASE WHEN crossing = 'golden' THEN 1 END) AS n_golden,
    count(CASE WHEN crossing = 'death' THEN 1 END) AS n_death,
    count(regime_multiplier) AS n_regime
  FROM tested
)

SELECT
  CAST('mean, trend and volume are known' AS varchar) AS condition,
  CAST(n_known AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('price above its long mean' AS varchar) AS condition,
  CAST(n_above AS bigint) AS n,
  CAST(n_known AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('trend state +1' AS varchar) AS condition,
  CAST(n_rising AS bigint) AS n,
  CAST(n_known AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('trend state -1' AS varchar) AS condition,
  CAST(n_falling AS bigint) AS n,
  CAST(n_known AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('volume above its threshold' AS varchar) AS condition,
  CAST(n_busy AS bigint) AS n,
  CAST(n_known AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('volume above the bonus threshold' AS varchar) AS condition,
  CAST(n_very_busy AS bigint) AS n,
  CAST(n_known AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('all three, bullish' AS varchar) AS condition,
  CAST(n_bullish AS bigint) AS n,
  CAST(n_known AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('all three, bearish' AS varchar) AS condition,
  CAST(n_bearish AS bigint) AS n,
  CAST(n_known AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('breakout' AS varchar) AS condition,
  CAST(n_breakout AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('anomaly' AS varchar) AS condition,
  CAST(n_anomaly AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('golden cross' AS varchar) AS condition,
  CAST(n_golden AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('death cross' AS varchar) AS condition,
  CAST(n_death AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
UNION ALL
SELECT
  CAST('regime is known' AS varchar) AS condition,
  CAST(n_regime AS bigint) AS n,
  CAST(n_all AS bigint) AS n_of
FROM counted
