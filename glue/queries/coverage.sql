-- How complete each session's data is. One row per session.
-- Reads daily_sentiment of the sessions :first to :last.
SELECT
  CAST(session AS date) AS session,
  CAST(count(*) AS bigint) AS n_tickers,
  CAST(sum(n_tweets) AS bigint) AS n_tweets,
  CAST(min(coverage) AS double) AS coverage,
  CAST(bool_or(partial) AS boolean) AS partial,
  CAST(avg(duplicate_share) AS double) AS duplicate_share,
  CAST(avg(flagged_share) AS double) AS flagged_share
FROM daily_sentiment
WHERE session BETWEEN :first AND :last
GROUP BY session
ORDER BY session
