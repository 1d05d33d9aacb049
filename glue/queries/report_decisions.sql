-- What every gate said. One row per (session, plan, phase, account, ticker, instrument, leg, gate).
-- Reads decisions of the sessions :first to :last.
SELECT
  CAST(session AS date) AS session,
  CAST(plan AS varchar) AS plan,
  CAST(phase AS varchar) AS phase,
  CAST(account AS varchar) AS account,
  CAST(ticker AS varchar) AS ticker,
  CAST(instrument AS varchar) AS instrument,
  CAST(leg AS varchar) AS leg,
  CAST(sequence AS integer) AS sequence,
  CAST(gate AS varchar) AS gate,
  CAST(value AS varchar) AS value,
  CAST("limit" AS varchar) AS "limit",
  CAST(verdict AS varchar) AS verdict,
  CAST(reason AS varchar) AS reason,
  CAST(direction AS varchar) AS direction
FROM decisions
WHERE session BETWEEN :first AND :last
ORDER BY session, account, ticker, instrument, leg, phase DESC, plan, sequence
