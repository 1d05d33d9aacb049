-- Price features of a ticker, of bars known before the session. One row per (session, ticker).
-- Reads prices of the run :dt, bars of sessions before :session.
--
-- Everything but the last bar itself is in adjusted prices: open, high and low are scaled by
-- adjusted_close / close. Volume is counted in today's shares (volume x close / adjusted_close),
-- so that a split inside a window is no surge. A window that is not full gives NULL, never a
-- mean of fewer bars. `age` counts bars back from the last one, which has age 1.
WITH bars AS (
  SELECT
    ticker,
    session,
    open,
    high,
    low,
    close,
    adjusted_close,
    volume,
    adjusted_close / NULLIF(close, 0e0) AS ratio,
    CAST(volume AS double) * close AS dollars,
    row_number() OVER (PARTITION BY ticker ORDER BY session DESC) AS age,
    lead(adjusted_close) OVER (PARTITION BY ticker ORDER BY session DESC) AS previous_close,
    lag(session) OVER (PARTITION BY ticker ORDER BY session DESC) AS next_session
  FROM prices
  WHERE dt = :dt AND session < :session
),

moves AS (
  SELECT
    *,
    ROUND(100e0 * (adjusted_close / NULLIF(previous_close, 0e0) - 1e0), 2) AS change_percent,
    dollars / NULLIF(adjusted_close, 0e0) AS shares,
    ln(adjusted_close / NULLIF(previous_close, 0e0)) AS log_return,
    -- Wilder's true range: the day's, widened to the close before; without one there is none.
    CASE
      WHEN previous_close IS NOT NULL
        THEN
          greatest(high * ratio, previous_close) - least(low * ratio, previous_close)
    END AS true_range
  FROM bars
),

-- Means and sums back from the last bar, one pass.
windows AS (
  SELECT
    ticker,
    count(*) AS n_bars,
    avg(CASE WHEN age <= :sma_slow THEN adjusted_close END) AS sma_slow,
    avg(CASE WHEN age <= :volume_sessions THEN shares END) AS mean_shares,
    avg(CASE WHEN age <= :volume_sessions THEN dollars END) AS mean_dollars,
    max(CASE WHEN age = 1 THEN shares END) AS last_shares,
    avg(CASE WHEN age <= :atr_sessions THEN true_range END) AS mean_true_range,
    count(CASE WHEN age <= :atr_sessions THEN true_range END) AS n_true_range,
    stddev_samp(CASE WHEN age <= :volatility_sessions THEN log_return END) AS deviation,
    count(CASE WHEN age <= :volatility_sessions THEN log_return END) AS n_log_return,
    max(CASE WHEN age = 1 + 5 THEN adjusted_close END) AS close_5_before,
    max(CASE WHEN age = 1 + 20 THEN adjusted_close END) AS close_20_before,
    -- The last bar of a week is the one whose next bar lies after the week.
    max(
      CASE
        WHEN
          session >= CAST(:last_week AS date) AND session < CAST(:this_week AS date)
          AND (next_session IS NULL OR next_session >= CAST(:this_week AS date))
          THEN adjusted_close
      END
    ) AS last_week_close,
    max(
      CASE
        WHEN
          session >= CAST(:week_before AS date) AND session < CAST(:last_week AS date)
          AND (next_session IS NULL OR next_session >= CAST(:last_week AS date))
          THEN adjusted_close
      END
    ) AS week_before_close
  FROM moves
  GROUP BY ticker
),

-- The short and the long mean as they stood after each of the last few bars.
means AS (
  SELECT
    latest.ticker,
    latest.age,
    latest.adjusted_close,
    CASE
      WHEN count(CASE WHEN bar.age < latest.age + :sma_short THEN 1 END) = :sma_short
        THEN ROUND(avg(CASE WHEN bar.age < latest.age + :sma_short THEN bar.adjusted_close END), 10)
    END AS sma_short,
    CASE
      WHEN count(CASE WHEN bar.age < latest.age + :sma_long THEN 1 END) = :sma_long
        THEN ROUND(avg(CASE WHEN bar.age < latest.age + :sma_long THEN bar.adjusted_close END), 10)
    END AS sma_long
  FROM moves AS latest
  INNER JOIN moves AS bar
    ON
      bar.ticker = latest.ticker
      AND bar.age >= latest.age
      AND bar.age < latest.age + :means_reach
  WHERE latest.age <= :means_needed
  GROUP BY latest.ticker, latest.age, latest.adjusted_close
),

trends AS (
  SELECT
    ticker,
    max(CASE WHEN age = 1 THEN sma_short END) AS sma_short,
    max(CASE WHEN age = 1 THEN sma_long END) AS sma_long,
    CASE
      WHEN
        max(CASE WHEN age = 1 THEN sma_short - sma_long END) > 0e0
        AND max(CASE WHEN age = 2 THEN sma_short - sma_long END) < 0e0
        THEN 'golden'
      WHEN
        max(CASE WHEN age = 1 THEN sma_short - sma_long END) < 0e0
        AND max(CASE WHEN age = 2 THEN sma_short - sma_long END) > 0e0
        THEN 'death'
    END AS crossing,
    max(CASE WHEN age = 1 THEN sma_long END)
    - max(CASE WHEN age = 1 + :trend_slope_sessions THEN sma_long END) AS slope,
    count(CASE WHEN age <= :trend_closes THEN sma_long END) AS n_closes,
    count(CASE WHEN age <= :trend_closes AND ROUND(adjusted_close, 10) > sma_long THEN 1 END) AS n_above,
    count(CASE WHEN age <= :trend_closes AND ROUND(adjusted_close, 10) < sma_long THEN 1 END) AS n_below
  FROM means
  GROUP BY ticker
),

-- The index that measures the regime: SPY's realised volatility, or the level of VIX.
index_volatility AS (
  SELECT
    latest.age,
    latest.session,
    latest.close,
    CASE
      WHEN count(bar.log_return) = :volatility_sessions
        THEN ROUND(stddev_samp(bar.log_return) * sqrt(CAST(:trading_days AS double)), 10)
    END AS volatility
  FROM moves AS latest
  INNER JOIN moves AS bar
    ON
      bar.ticker = latest.ticker
      AND bar.age >= latest.age
      AND bar.age < latest.age + :volatility_sessions
  WHERE latest.ticker = :regime_ticker AND latest.age <= :regime_history + 1
  GROUP BY latest.age, latest.session, latest.close
),

-- Rank of the last value among the trailing ones before it: the share of them that lie below.
-- An index without a bar of the previous session says nothing about today.
ranked AS (
  SELECT
    CASE WHEN CAST(:regime_by_level AS boolean) THEN latest.close ELSE latest.volatility END AS measure,
    CASE
      WHEN CAST(:regime_by_level AS boolean) THEN latest.close
      WHEN count(earlier.volatility) >= :regime_minimum
        THEN ROUND(
          CAST(count(CASE WHEN earlier.volatility < latest.volatility THEN 1 END) AS double)
          / CAST(count(earlier.volatility) AS double),
          10
        )
    END AS place
  FROM index_volatility AS latest
  LEFT JOIN index_volatility AS earlier ON earlier.age > latest.age
  WHERE latest.age = 1 AND latest.session = CAST(:previous_session AS date)
  GROUP BY latest.close, latest.volatility
),

-- Buckets come as text, `from;below;multiplier` each, and leave no gap.
buckets AS (
  SELECT
    CAST(element_at(split(bucket, ';'), 1) AS double) AS lower_bound,
    CAST(element_at(split(bucket, ';'), 2) AS double) AS upper_bound,
    CAST(element_at(split(bucket, ';'), 3) AS double) AS multiplier
  FROM UNNEST(split(:regime_buckets, ',')) AS listed (bucket)
),

regime AS (
  SELECT
    ranked.measure,
    ranked.place,
    buckets.multiplier
  FROM ranked
  LEFT JOIN buckets
    ON ranked.place >= buckets.lower_bound AND ranked.place < buckets.upper_bound
)

SELECT
  CAST(bars.ticker AS varchar) AS ticker,
  CAST(bars.session AS date) AS last_session,
  CAST(bars.open AS double) AS open,
  CAST(bars.high AS double) AS high,
  CAST(bars.low AS double) AS low,
  CAST(bars.close AS double) AS close,
  CAST(bars.adjusted_close AS double) AS adjusted_close,
  CAST(bars.volume AS bigint) AS volume,
  CAST(bars.previous_close AS double) AS previous_close,
  CAST(bars.adjusted_close - bars.previous_close AS double) AS change,
  CAST(bars.change_percent AS double) AS change_percent,
  CAST(
    ((bars.open + bars.high + bars.low) * bars.ratio + bars.adjusted_close) / 4e0 AS double
  ) AS moving_average,
  CAST(abs(bars.change_percent) > :anomaly_percent AS boolean) AS anomaly,
  CAST(trends.sma_short AS double) AS sma5,
  CAST(trends.sma_long AS double) AS sma20,
  CAST(CASE WHEN windows.n_bars >= :sma_slow THEN windows.sma_slow END AS double) AS sma50,
  CAST(trends.crossing AS varchar) AS "cross",
  CAST(
    CASE trends.crossing
      WHEN 'golden' THEN bars.ticker || ' is in an Uptrend. Consider a buy opportunity.'
      WHEN 'death' THEN bars.ticker || ' is in a Downtrend. Consider selling.'
    END AS varchar
  ) AS cross_text,
  CAST(
    CASE
      WHEN windows.n_bars >= :volume_sessions
        THEN ROUND(windows.last_shares / NULLIF(windows.mean_shares, 0e0), 10)
    END AS double
  ) AS volume_ratio,
  CAST(
    CASE WHEN windows.n_bars >= :volume_sessions THEN windows.mean_dollars END AS double
  ) AS dollar_volume20,
  CAST(
    CASE
      WHEN trends.n_closes < :trend_closes THEN NULL
      WHEN CAST(:trend_needs_slope AS boolean) AND trends.slope IS NULL THEN NULL
      WHEN
        trends.n_above = :trend_closes
        AND (NOT CAST(:trend_needs_slope AS boolean) OR trends.slope > 0e0)
        THEN 1
      WHEN
        trends.n_below = :trend_closes
        AND (NOT CAST(:trend_needs_slope AS boolean) OR trends.slope < 0e0)
        THEN -1
      ELSE 0
    END AS integer
  ) AS trend_state,
  CAST(
    ROUND(abs(bars.adjusted_close / NULLIF(trends.sma_long, 0e0) - 1e0), 10) > :breakout AS boolean
  ) AS breakout,
  CAST(
    CASE WHEN windows.n_true_range = :atr_sessions THEN windows.mean_true_range END AS double
  ) AS atr14,
  CAST(
    CASE
      WHEN windows.n_log_return = :volatility_sessions
        THEN windows.deviation * sqrt(CAST(:trading_days AS double))
    END AS double
  ) AS volatility20,
  CAST(bars.adjusted_close / NULLIF(windows.close_5_before, 0e0) - 1e0 AS double) AS return5,
  CAST(bars.adjusted_close / NULLIF(windows.close_20_before, 0e0) - 1e0 AS double) AS return20,
  -- The last whole calendar week before the session, against the week before that.
  CAST(
    sign(ROUND(windows.last_week_close - windows.week_before_close, 10)) AS integer
  ) AS weekly_trend,
  CAST(regime.measure AS double) AS regime_volatility,
  CAST(regime.place AS double) AS regime_rank,
  CAST(regime.multiplier AS double) AS regime_multiplier,
  CAST(windows.n_bars AS bigint) AS n_bars,
  CAST(:config_hash AS varchar) AS config_hash,
  CAST(:run_id AS varchar) AS run_id
FROM moves AS bars
INNER JOIN windows ON windows.ticker = bars.ticker
INNER JOIN trends ON trends.ticker = bars.ticker
LEFT JOIN regime ON true
WHERE bars.age = 1 AND bars.ticker NOT LIKE '^%'
