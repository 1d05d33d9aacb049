-- fail: what daily_sentiment holds can be so, and a change exists exactly where both sides pass. One row per (ticker) that cannot.
-- Reads daily_sentiment of :session.
WITH judged AS (
  SELECT
    ticker,
    CASE
      WHEN n_tweets < 1 OR n_authors < 1 OR n_authors > n_tweets THEN 'numbers of tweets and authors'
      WHEN n_effective < 1e0 - 1e-6 OR n_effective > CAST(n_tweets AS double) + 1e-6
        THEN 'effective number beyond the number of tweets'
      WHEN hhi_author <= 0e0 OR hhi_author > 1e0 + 1e-6 THEN 'concentration of authors'
      WHEN abs(share_positive + share_neutral + share_negative - 1e0) > 1e-6
        THEN 'shares of labels do not sum to 1'
      WHEN least(share_positive, share_neutral, share_negative, duplicate_share, flagged_share) < 0e0
        THEN 'a share below 0'
      WHEN greatest(duplicate_share, flagged_share) > 1e0 THEN 'a share above 1'
      WHEN abs(polarity_plain) > 1e0 + 1e-6 THEN 'plain polarity beyond 1'
      WHEN abs(polarity) > 1e0 + 1e-6 OR abs(polarity_shrunk) > 1e0 + 1e-6 THEN 'polarity beyond 1'
      WHEN abs(polarity_reference) > 1e0 + 1e-6 THEN 'reference polarity beyond 1'
      WHEN confidence_reference < 0e0 OR confidence_reference > 1e0 + 1e-6 THEN 'reference confidence'
      WHEN variance < 0e0 OR se < 0e0 THEN 'negative variance'
      WHEN coverage < 0e0 OR coverage > 1e0 THEN 'coverage'
      WHEN previous_session >= CAST(:session AS date) THEN 'previous session is not before'
      -- Unknown is null, never 0.
      WHEN
        (polarity_change IS NOT NULL)
        <> COALESCE(n_effective >= :min_tweets AND previous_n_effective >= :min_tweets, false)
        THEN 'a change without enough tweets on both sides, or none with them'
      WHEN polarity_change IS NULL AND change_se IS NOT NULL THEN 'an error of no change'
      WHEN abs(polarity - previous_polarity - polarity_change) > 1e-6
        THEN 'a change that is not the difference'
    END AS problem
  FROM daily_sentiment
  WHERE session = :session
)

SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(problem AS varchar) AS problem
FROM judged
WHERE problem IS NOT NULL
