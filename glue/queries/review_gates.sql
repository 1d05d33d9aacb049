-- How often each gate passed and blocked. One row per (phase, gate).
-- Reads decisions of the sessions :first to :last.
SELECT
  CAST(phase AS varchar) AS phase,
  CAST(gate AS varchar) AS gate,
  CAST(count(CASE WHEN verdict = 'pass' THEN 1 END) AS bigint) AS n_pass,
  CAST(count(CASE WHEN verdict = 'block' THEN 1 END) AS bigint) AS n_block,
  CAST(count(CASE WHEN verdict = 'error' THEN 1 END) AS bigint) AS n_error,
  CAST(count(*) AS bigint) AS n_of
FROM decisions
WHERE session BETWEEN :first AND :last
GROUP BY phase, gate
ORDER BY phase, min(sequence), gate
