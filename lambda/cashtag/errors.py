"""Every error that Cashtag raises on purpose, and the exit code each one ends a command with.

    CashtagError (1)
    ├── InputError (2)           a parameter, file or line that a person can correct
    │   └── SettingsError (2)    an unknown key, or a value out of its range
    ├── CalendarError (2)        a moment or date that the session table does not hold
    ├── StoreError (3)           a folder or bucket that cannot be read or written
    │   └── KeyMissing (3)       an object that is not there
    ├── ContractError (4)        rows that do not fit their table's contract
    ├── CheckFailed (4)          a check marked `fail` found rows: nothing is published
    ├── SourceRefused (5)        a source answered with a refusal, which is not "nothing"
    ├── TradeError (6)           an order, account or ledger that does not add up
    │   └── LedgerMismatch (6)   the broker's positions and ours differ: trading halts
    └── CloudError (7)           AWS refuses, or a stack there is not as it should be
        └── StackMissing (7)     nothing is deployed under that name

Each message names the parameter, the value and the remedy.
"""

from __future__ import annotations


class CashtagError(Exception):
    """Root of all errors raised on purpose; `exit_code` is what a command ends with."""

    exit_code = 1


class InputError(CashtagError):
    """A parameter, file or line that a person can correct."""

    exit_code = 2


class SettingsError(InputError):
    """A setting with an unknown name or a value outside its range."""


class CalendarError(CashtagError):
    """A moment or date outside the session table, or not a session where one is needed."""

    exit_code = 2


class StoreError(CashtagError):
    """A zone that cannot be read or written: permissions, a full disk, a key no store can hold."""

    exit_code = 3


class KeyMissing(StoreError):
    """An object that was asked for by key and is not there."""


class ContractError(CashtagError):
    """Rows whose columns, types or keys do not fit the table's contract."""

    exit_code = 4


class CheckFailed(CashtagError):
    """A check marked `fail` returned rows; the session's tables were not published."""

    exit_code = 4


class SourceRefused(CashtagError):
    """A source answered with a refusal (rate limit, ban, broken page), not with an empty answer."""

    exit_code = 5


class TradeError(CashtagError):
    """An order, an account or a ledger that does not add up."""

    exit_code = 6


class LedgerMismatch(TradeError):
    """Positions at the broker differ from those derived from fills; trading halts."""


class CloudError(CashtagError):
    """AWS refuses or does not answer, or a stack of ours is not in a state to work with."""

    exit_code = 7


class StackMissing(CloudError):
    """No stack of that name in this account and region."""
