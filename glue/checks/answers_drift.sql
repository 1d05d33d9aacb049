-- warn: the model answers as it did in the trailing sessions. One row per (measure) that has moved: look at the model, and at the posts.
-- Reads daily_sentiment of the sessions :history_first to :session.
WITH daily AS (
  SELECT
    session,
    model_version,
    CAST(sum(n_tweets) AS double) AS n,
    sum(share_negative * CAST(n_tweets AS double)) AS negative,
    sum(share_neutral * CAST(n_tweets AS double)) AS neutral,
    sum(share_positive * CAST(n_tweets AS double)) AS positive,
    sum(confidence * CAST(n_tweets AS double)) AS confidence,
    sum(unread_share * CAST(n_tweets AS double)) AS unread
  FROM daily_sentiment
  WHERE session BETWEEN :history_first AND :session
  GROUP BY session, model_version
),

-- Each measure, and how far it may always be from the usual.
measured AS (
  SELECT session, model_version, 'share negative' AS measure, negative / n AS value, :drift_share AS room
  FROM daily
  WHERE n >= CAST(:min_labelled_tweets AS double)
  UNION ALL
  SELECT session, model_version, 'share neutral' AS measure, neutral / n AS value, :drift_share AS room
  FROM daily
  WHERE n >= CAST(:min_labelled_tweets AS double)
  UNION ALL
  SELECT session, model_version, 'share positive' AS measure, positive / n AS value, :drift_share AS room
  FROM daily
  WHERE n >= CAST(:min_labelled_tweets AS double)
  UNION ALL
  SELECT session, model_version, 'mean confidence' AS measure, confidence / n AS value, :drift_confidence AS room
  FROM daily
  WHERE n >= CAST(:min_labelled_tweets AS double)
  UNION ALL
  SELECT session, model_version, 'share unread' AS measure, unread / n AS value, :drift_share AS room
  FROM daily
  WHERE n >= CAST(:min_labelled_tweets AS double)
),

usual AS (
  SELECT
    measure,
    model_version,
    count(value) AS n_sessions,
    avg(value) AS mean,
    COALESCE(stddev_samp(value), 0e0) AS deviation
  FROM measured
  WHERE session < CAST(:session AS date)
  GROUP BY measure, model_version
)

SELECT
  CAST(measured.measure AS varchar) AS measure,
  CAST(ROUND(measured.value, 4) AS double) AS value,
  CAST(ROUND(usual.mean, 4) AS double) AS usual,
  CAST(ROUND(usual.deviation, 4) AS double) AS deviation,
  CAST(usual.n_sessions AS bigint) AS n_sessions
FROM measured
INNER JOIN usual
  ON usual.measure = measured.measure AND usual.model_version = measured.model_version
WHERE
  measured.session = CAST(:session AS date)
  AND usual.n_sessions >= :drift_sessions
  AND ROUND(abs(measured.value - usual.mean), 10)
  > greatest(measured.room, :drift_sigmas * usual.deviation)
