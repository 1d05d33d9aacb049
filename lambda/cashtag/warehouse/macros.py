"""Trino's functions that DuckDB lacks or computes differently, as DuckDB macros.

They are SQL, not Python functions: vectorised, and without Python's objects in the engine.
"""

from __future__ import annotations

# Java's Character.isWhitespace, which Trino's trim removes: not the no-break spaces.
WHITESPACE = "".join(
    chr(code)
    for first, last in (
        (0x09, 0x0D),
        (0x1C, 0x20),
        (0x1680, 0x1680),
        (0x2000, 0x2006),
        (0x2008, 0x200A),
        (0x2028, 0x2029),
        (0x205F, 0x205F),
        (0x3000, 0x3000),
    )
    for code in range(first, last + 1)
)

# With t = 2 / (2 + x), erfc(x) = t exp(-x^2 + P(2 t - 1)) for x >= 0 (Numerical Recipes, 3rd ed.,
# section 6.2.2). P is our Chebyshev fit of degree 23 to log(erfc(x) exp(x^2) / t) on (0, 1],
# computed with 60 digits, as a polynomial, highest power first. Relative error of erfc: below
# 1e-14 to x = 4, below 2e-13 to x = 26, where it leaves the range of doubles.
_ERFC = (
    3.020180973276327e-08,
    5.453996093580848e-10,
    -2.918140093838512e-07,
    1.6115072777367172e-07,
    1.288941465787711e-06,
    -1.716193134979271e-06,
    -2.9712581180506845e-06,
    8.957141043345933e-06,
    1.4671892580015497e-07,
    -3.0424804196375778e-05,
    3.174303989118968e-05,
    7.149729347139027e-05,
    -0.00017430267774155175,
    -9.376103922044857e-05,
    0.0006736787892286717,
    -0.0001462423779783453,
    -0.002345812502920638,
    0.0017589330988850734,
    0.008824938557318043,
    -0.009872689342023714,
    -0.04689561023118345,
    0.04734330684139575,
    0.6726432239776567,
    -0.6717940840566905,
)
_COEFFICIENTS = f"'{list(_ERFC)!r}'::DOUBLE[]"  # one constant: DuckDB plans by the node

MACROS: tuple[str, ...] = (
    f"""CREATE TEMP MACRO upper_tail(x, t) AS
      t * exp(-x * x + list_reduce({_COEFFICIENTS}, lambda sum, c: sum * (2 * t - 1) + c)) / 2""",
    """CREATE TEMP MACRO normal_side(x, tail) AS CASE WHEN x > 0 THEN 1 - tail ELSE tail END""",
    # The lambda binds the argument once, however long the caller's expression is.
    """CREATE TEMP MACRO normal_cdf(mean, sd, v) AS
      list_transform([CAST((v - mean) / (sd * sqrt(2)) AS DOUBLE)],
        lambda x: normal_side(x, upper_tail(x, 2 / (2 + abs(x)))))[1]""",
    # Scalars only; NULL for objects, arrays and text that is no JSON.
    """CREATE TEMP MACRO trino_json_extract_scalar(j, path) AS
      CASE WHEN json_valid(j) AND json_type(j, path) NOT IN ('OBJECT', 'ARRAY', 'NULL')
        THEN json_extract_string(j, path) END""",
    # Unknown, not false, when the element may be one of the nulls.
    """CREATE TEMP MACRO trino_contains(items, item) AS
      CASE WHEN list_contains(items, item) THEN true
        WHEN item IS NULL OR len(list_filter(items, lambda i: i IS NULL)) > 0 THEN NULL
        ELSE list_contains(items, item) END""",
    """CREATE TEMP MACRO trino_substr(s, start) AS
      CASE WHEN start = 0 OR -start > length(s) THEN '' ELSE substr(s, start) END""",
    """CREATE TEMP MACRO trino_substr_n(s, start, n) AS
      CASE WHEN start = 0 OR -start > length(s) OR n <= 0 THEN '' ELSE substr(s, start, n) END""",
    # What Trino casts to an integer type, and for anything else a text that no cast takes.
    """CREATE TEMP MACRO whole_number(s) AS
      CASE WHEN regexp_full_match(s, '[+-]?[0-9]+') THEN s ELSE 'no integer: ' || s END""",
)
