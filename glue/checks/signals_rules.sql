-- fail: direction, instrument and confidence of a signal agree. One row per (ticker, kind) where they do not.
-- Reads daily_signals of :session.
WITH judged AS (
  SELECT
    ticker,
    kind,
    direction,
    instrument,
    CASE
      WHEN direction NOT IN ('BUY', 'SELL', 'HOLD') THEN 'unknown direction'
      WHEN (direction = 'HOLD') <> (instrument = 'NONE') THEN 'HOLD has instrument NONE, and only HOLD'
      WHEN direction <> 'HOLD' AND kind = 'STOCK' AND instrument <> 'STOCK' THEN 'a stock is no option'
      WHEN direction = 'BUY' AND kind = 'OPTION' AND instrument <> 'CALL' THEN 'BUY is a CALL'
      WHEN direction = 'SELL' AND kind = 'OPTION' AND instrument <> 'PUT' THEN 'SELL is a PUT'
      WHEN direction <> 'HOLD' AND direction NOT IN (sentiment_signal, trend_signal)
        THEN 'follows neither signal'
      WHEN
        direction <> 'HOLD' AND sentiment_signal <> 'HOLD' AND trend_signal <> 'HOLD'
        AND sentiment_signal <> trend_signal
        THEN 'follows signals that contradict each other'
      WHEN direction <> 'HOLD' AND confidence IS NULL THEN 'fires without confidence'
      WHEN sentiment_signal <> 'HOLD' AND polarity_change IS NULL THEN 'sentiment fires without a change'
      WHEN trend_signal <> 'HOLD' AND regime_multiplier IS NULL THEN 'trend fires without a regime'
      WHEN least(confidence, 0e0) < 0e0 OR greatest(confidence, 1e0) > 1e0 THEN 'confidence beyond 0 to 1'
      WHEN sentiment_confidence < 0e0 OR sentiment_confidence > 1e0 THEN 'sentiment confidence'
      WHEN trend_confidence < 0e0 OR trend_confidence > 1e0 THEN 'trend confidence'
      WHEN as_of > CAST(:cutoff AS timestamp) THEN 'knows more than its run'
    END AS problem
  FROM daily_signals
  WHERE session = :session
)

SELECT
  CAST(ticker AS varchar) AS ticker,
  CAST(kind AS varchar) AS kind,
  CAST(direction AS varchar) AS direction,
  CAST(instrument AS varchar) AS instrument,
  CAST(problem AS varchar) AS problem
FROM judged
WHERE problem IS NOT NULL
