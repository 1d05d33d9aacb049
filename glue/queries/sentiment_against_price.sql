-- What people said before a session, and what the price did in it. One row per (session, ticker).
-- Reads daily_sentiment and daily_features of the sessions :first to :last.
--
-- A session's own bar is known to the next session's features, so the last session has none yet.
WITH bars AS (
  SELECT
    ticker,
    last_session,
    change_percent,
    row_number() OVER (PARTITION BY ticker, last_session ORDER BY session) AS sighting
  FROM daily_features
  WHERE session BETWEEN :first AND :last
)

SELECT
  CAST(said.session AS date) AS session,
  CAST(said.ticker AS varchar) AS ticker,
  CAST(said.n_tweets AS bigint) AS n_tweets,
  CAST(said.n_effective AS double) AS n_effective,
  CAST(said.polarity AS double) AS polarity,
  CAST(said.polarity_change AS double) AS polarity_change,
  CAST(said.z AS double) AS z,
  CAST(said.coverage AS double) AS coverage,
  CAST(known.change_percent AS double) AS change_percent_before,
  CAST(bars.change_percent AS double) AS change_percent_of_session,
  CAST(known.close AS double) AS close_before
FROM daily_sentiment AS said
LEFT JOIN daily_features AS known
  ON
    known.session = said.session
    AND known.ticker = said.ticker
    AND known.session BETWEEN :first AND :last
LEFT JOIN bars
  ON
    bars.last_session = said.session
    AND bars.ticker = said.ticker
    AND bars.sighting = 1
WHERE said.session BETWEEN :first AND :last
ORDER BY said.session, said.ticker
