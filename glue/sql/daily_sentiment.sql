-- What people say of a ticker, weighted and unweighted. One row per (session, ticker).
-- Reads tweets of the session's runs, daily_sentiment of the trailing sessions, daily_features of :session.
--
-- weight = influence x authenticity x engagement factor x 2^(-age / half-life) / cashtags named,
-- times what only the whole session can tell: copies of a text, one author's share, tickers of
-- very different size named together. The reference's weight stands beside it, untouched by these.
WITH collected AS (
  SELECT
    ticker,
    tweet_id,
    created_at,
    author,
    text_key,
    sentiment,
    sentiment_score,
    polarity,
    influence,
    authenticity,
    engagement,
    engagement_factor,
    is_key_influencer,
    cashtags,
    model,
    model_version,
    -- The newest moment of a session has age 0.
    CAST(date_diff('millisecond', created_at, CAST(:session_cutoff AS timestamp)) AS double)
    / 3600000e0 AS age_hours,
    -- A post that two runs of the window collected counts once, as the first one saw it.
    row_number() OVER (PARTITION BY ticker, tweet_id ORDER BY dt) AS sighting,
    row_number() OVER (PARTITION BY ticker, text_key ORDER BY created_at, tweet_id, dt) AS copy
  FROM tweets
  WHERE
    dt BETWEEN :first_dt AND :last_dt
    AND session = :session
    AND created_at < :cutoff
    AND polarity IS NOT NULL
),

-- One author may carry :author_share of a session. Those who carry more are scaled so that each
-- ends with exactly that share of the scaled number of tweets: k such authors beside m tweets of
-- others count as share x m / (1 - k x share) tweets each. Without others, they count alike.
authors AS (
  SELECT
    ticker,
    author,
    count(*) AS n_author,
    sum(count(*)) OVER (PARTITION BY ticker) AS n_tweets
  FROM collected
  WHERE sighting = 1
  GROUP BY ticker, author
),

shares AS (
  SELECT
    ticker,
    author,
    CAST(n_author AS double) AS n_author,
    CAST(n_author AS double) / CAST(n_tweets AS double) AS share,
    n_tweets >= :author_share_min_tweets
    AND ROUND(CAST(n_author AS double) / CAST(n_tweets AS double), 10) > :author_share AS dominates
  FROM authors
),

crowds AS (
  SELECT
    ticker,
    count(*) AS n_authors,
    sum(share * share) AS hhi,
    CAST(count(CASE WHEN dominates THEN 1 END) AS double) AS n_dominating,
    COALESCE(sum(CASE WHEN NOT dominates THEN n_author END), 0e0) AS n_others,
    min(n_author) AS fewest
  FROM shares
  GROUP BY ticker
),

-- Small stocks ride along with large ones: the dollar volumes of all tickers that a post names.
company AS (
  SELECT
    named.ticker,
    named.tweet_id,
    max(daily_features.dollar_volume20) / NULLIF(min(daily_features.dollar_volume20), 0e0) AS spread
  FROM (
    SELECT
      collected.ticker,
      collected.tweet_id,
      listed.cashtag
    FROM collected
    CROSS JOIN UNNEST(collected.cashtags) AS listed (cashtag)
    WHERE cardinality(collected.cashtags) > 1
  ) AS named
  INNER JOIN daily_features ON daily_features.ticker = named.cashtag
  WHERE daily_features.session = :session
  GROUP BY named.ticker, named.tweet_id
),

weighed AS (
  SELECT
    t.ticker,
    t.tweet_id,
    t.sentiment,
    t.sentiment_score,
    t.polarity,
    t.engagement,
    t.model,
    t.model_version,
    t.copy > 1 AS is_repeat,
    t.authenticity < 1e0 OR t.copy > 1 OR shares.dominates
    OR COALESCE(company.spread > :liquidity_ratio, false) AS is_flagged,
    ROUND(
      t.influence
      * CASE WHEN t.is_key_influencer THEN :influencer_multiplier ELSE 1e0 END
      * t.authenticity
      * t.engagement_factor
      * power(2e0, -t.age_hours / :half_life_hours)
      / CAST(greatest(1, cardinality(array_distinct(t.cashtags))) AS double)
      * CASE WHEN t.copy > 1 THEN :repeat_factor ELSE 1e0 END
      * CASE
        WHEN NOT shares.dominates THEN 1e0
        WHEN crowds.n_others = 0e0 THEN crowds.fewest / shares.n_author
        ELSE
          :author_share * crowds.n_others
          / (1e0 - crowds.n_dominating * :author_share)
          / shares.n_author
      END
      * CASE
        WHEN COALESCE(company.spread > :liquidity_ratio, false) THEN :liquidity_factor
        ELSE 1e0
      END,
      10
    ) AS w,
    t.influence * t.sentiment_score
    * greatest(:reference_floor, 1e0 - t.age_hours / :window_hours) AS w_reference
  FROM collected AS t
  INNER JOIN shares ON shares.ticker = t.ticker AND shares.author = t.author
  INNER JOIN crowds ON crowds.ticker = t.ticker
  LEFT JOIN company ON company.ticker = t.ticker AND company.tweet_id = t.tweet_id
  WHERE t.sighting = 1
),

-- What the model says most often, over all tickers. A lexicon has one answer to whatever holds no
-- word it knows; a network has one to nothing, unless it is broken. Repeats say nothing here.
usual AS (
  SELECT polarity
  FROM weighed
  WHERE NOT is_repeat
  GROUP BY polarity
  ORDER BY count(*) DESC, polarity
  LIMIT 1
),

summed AS (
  SELECT
    ticker,
    count(*) AS n_tweets,
    ROUND(sum(w) * sum(w) / NULLIF(sum(w * w), 0e0), 10) AS n_effective,
    sum(w * polarity) / NULLIF(sum(w), 0e0) AS polarity,
    sum(w * polarity * polarity) / NULLIF(sum(w), 0e0) AS square,
    avg(polarity) AS polarity_plain,
    sum(w_reference * polarity) / NULLIF(sum(w_reference), 0e0) AS polarity_reference,
    sum(w_reference) / CAST(count(*) AS double) AS confidence_reference,
    avg(CASE WHEN sentiment = 'positive' THEN 1e0 ELSE 0e0 END) AS share_positive,
    avg(CASE WHEN sentiment = 'neutral' THEN 1e0 ELSE 0e0 END) AS share_neutral,
    avg(CASE WHEN sentiment = 'negative' THEN 1e0 ELSE 0e0 END) AS share_negative,
    avg(sentiment_score) AS confidence,
    avg(
      CASE
        WHEN is_repeat THEN NULL
        WHEN polarity = (SELECT polarity FROM usual) THEN 1e0
        ELSE 0e0
      END
    ) AS unread_share,
    avg(CASE WHEN is_repeat THEN 1e0 ELSE 0e0 END) AS duplicate_share,
    avg(CASE WHEN is_flagged THEN 1e0 ELSE 0e0 END) AS flagged_share,
    sum(engagement) AS engagement,
    json_format(
      CAST(slice(array_agg(tweet_id ORDER BY w DESC, tweet_id), 1, :top_tweets) AS json)
    ) AS top_tweet_ids,
    max(model) AS model,
    max(model_version) AS model_version
  FROM weighed
  GROUP BY ticker
),

-- Variance of one tweet's polarity: weighted, times n / (n - 1); undefined for one tweet.
variances AS (
  SELECT
    ticker,
    n_effective,
    CASE
      WHEN n_effective > 1e0
        THEN greatest(ROUND(square - polarity * polarity, 10), 0e0) * n_effective / (n_effective - 1e0)
    END AS own
  FROM summed
),

pooled AS (
  SELECT
    sum((n_effective - 1e0) * own)
    / NULLIF(sum(CASE WHEN own IS NOT NULL THEN n_effective - 1e0 END), 0e0) AS variance
  FROM variances
),

-- Shrunk to the session's pooled variance, as if so many tweets of the whole session came along.
settled AS (
  SELECT
    variances.ticker,
    CASE
      WHEN variances.own IS NULL THEN pooled.variance
      ELSE
        (variances.n_effective * variances.own + :variance_shrinkage * pooled.variance)
        / (variances.n_effective + :variance_shrinkage)
    END AS variance
  FROM variances
  CROSS JOIN pooled
),

-- The trailing sessions by the same model: two models' polarities have no difference.
history AS (
  SELECT
    ticker,
    model_version,
    max(CASE WHEN session = :history_last THEN polarity END) AS previous_polarity,
    max(CASE WHEN session = :history_last THEN se END) AS previous_se,
    max(CASE WHEN session = :history_last THEN n_effective END) AS previous_n_effective,
    count(CASE WHEN n_effective >= :min_tweets THEN polarity END) AS n_passing,
    avg(CASE WHEN n_effective >= :min_tweets THEN polarity END) AS usual,
    stddev_samp(CASE WHEN n_effective >= :min_tweets THEN polarity END) AS deviation
  FROM daily_sentiment
  WHERE session BETWEEN :history_first AND :history_last
  GROUP BY ticker, model_version
),

compared AS (
  SELECT
    summed.ticker,
    settled.variance,
    sqrt(settled.variance / NULLIF(summed.n_effective, 0e0)) AS se,
    history.previous_polarity,
    history.previous_se,
    history.previous_n_effective,
    history.n_passing,
    CASE
      WHEN history.n_passing >= :z_minimum
        THEN (summed.polarity - history.usual) / NULLIF(ROUND(history.deviation, 10), 0e0)
    END AS z,
    -- Null, and never 0, unless both sides pass the gate.
    CASE
      WHEN summed.n_effective >= :min_tweets AND history.previous_n_effective >= :min_tweets
        THEN ROUND(summed.polarity - history.previous_polarity, 10)
    END AS polarity_change
  FROM summed
  INNER JOIN settled ON settled.ticker = summed.ticker
  LEFT JOIN history
    ON
      history.ticker = summed.ticker
      AND history.model_version = summed.model_version
)

SELECT
  CAST(summed.ticker AS varchar) AS ticker,
  CAST(summed.n_tweets AS bigint) AS n_tweets,
  CAST(summed.n_effective AS double) AS n_effective,
  CAST(crowds.n_authors AS bigint) AS n_authors,
  CAST(crowds.hhi AS double) AS hhi_author,
  CAST(summed.share_positive AS double) AS share_positive,
  CAST(summed.share_neutral AS double) AS share_neutral,
  CAST(summed.share_negative AS double) AS share_negative,
  CAST(summed.duplicate_share AS double) AS duplicate_share,
  CAST(summed.flagged_share AS double) AS flagged_share,
  CAST(summed.polarity AS double) AS polarity,
  CAST(summed.polarity_plain AS double) AS polarity_plain,
  CAST(
    summed.n_effective * summed.polarity / (summed.n_effective + :shrinkage) AS double
  ) AS polarity_shrunk,
  CAST(summed.polarity_reference AS double) AS polarity_reference,
  CAST(summed.confidence_reference AS double) AS confidence_reference,
  CAST(compared.variance AS double) AS variance,
  CAST(compared.se AS double) AS se,
  CAST(:history_last AS date) AS previous_session,
  CAST(compared.previous_polarity AS double) AS previous_polarity,
  CAST(compared.previous_se AS double) AS previous_se,
  CAST(compared.previous_n_effective AS double) AS previous_n_effective,
  CAST(compared.polarity_change AS double) AS polarity_change,
  CAST(
    CASE
      WHEN compared.polarity_change IS NOT NULL
        THEN sqrt(compared.se * compared.se + compared.previous_se * compared.previous_se)
    END AS double
  ) AS change_se,
  CAST(compared.z AS double) AS z,
  CAST(COALESCE(compared.n_passing, 0) AS bigint) AS z_sessions,
  CAST(summed.engagement AS bigint) AS engagement,
  CAST(:coverage AS double) AS coverage,
  CAST(:partial AS boolean) AS partial,
  CAST(summed.top_tweet_ids AS varchar) AS top_tweet_ids,
  CAST(summed.model AS varchar) AS model,
  CAST(summed.model_version AS varchar) AS model_version,
  CAST(:config_hash AS varchar) AS config_hash,
  CAST(:run_id AS varchar) AS run_id,
  CAST(summed.confidence AS double) AS confidence,
  CAST(summed.unread_share AS double) AS unread_share
FROM summed
INNER JOIN compared ON compared.ticker = summed.ticker
INNER JOIN crowds ON crowds.ticker = summed.ticker
