"""Secrets stay secret: in texts, logs and tracebacks, in whatever form a library writes them."""

from __future__ import annotations

import base64
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, quote_plus

import pytest

from cashtag import redaction
from cashtag.redaction import MARK, redacted, remember

TOKEN = "PLANTED-token-0123456789abcdef"  # noqa: S105
PASSWORD = 'PLANTED p@ss/"wörd"+1'  # noqa: S105


@pytest.fixture(autouse=True)
def _nothing_held(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = logging.getLogRecordFactory()
    monkeypatch.setattr(redaction, "_held", frozenset())
    monkeypatch.setattr(redaction, "_logs_guarded", False)
    yield
    logging.setLogRecordFactory(before)


def test_a_text_without_secrets_stays_the_same() -> None:
    remember(TOKEN)
    assert redacted("30 tickers, 125 tweets each") == "30 tickers, 125 tweets each"


def test_every_occurrence_is_blotted_out() -> None:
    remember(TOKEN)
    assert redacted(f"auth_token={TOKEN}; again {TOKEN}.") == (
        "auth_token=[secret]; again [secret]."
    )


@pytest.mark.parametrize(
    "form",
    [
        PASSWORD,
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        quote_plus(PASSWORD),
        "PLANTED%20p%40ss%2f%22w%c3%b6rd%22%2b1",  # hex digits in lower case
        json.dumps(PASSWORD),
        repr(PASSWORD),
        PASSWORD.replace('"', "&quot;"),
        base64.b64encode(PASSWORD.encode()).decode(),
    ],
)
def test_a_secret_is_found_in_the_forms_that_libraries_write(form: str) -> None:
    remember(PASSWORD)
    # Quotes and padding around the form may stay.
    assert redacted(f"<{form}>").strip("<>\"='") == MARK


def test_a_percent_encoded_secret_is_found_decoded() -> None:
    # As a proxy's address holds it, and as the client puts it into its error.
    remember("PLANTED%2Fp%40ss%20word")
    assert redacted("407 for PLANTED/p@ss word") == f"407 for {MARK}"


def test_of_an_address_user_and_password_are_secret_and_the_host_is_not() -> None:
    remember("http://walker:PLANTED%2Fpass@proxy.example:8080", "http://127.0.0.1:3128")
    assert redacted("http://walker:PLANTED%2Fpass@proxy.example:8080 refused") == (
        f"http://{MARK}@proxy.example:8080 refused"
    )
    assert redacted("login PLANTED/pass") == f"login {MARK}"
    header = base64.b64encode(b"walker:PLANTED/pass").decode()
    assert redacted(f"Basic {header}").rstrip("=") == f"Basic {MARK}"
    assert redacted("http://127.0.0.1:3128 refused") == "http://127.0.0.1:3128 refused"


def test_a_message_cut_short_does_not_show_most_of_a_secret() -> None:
    remember(TOKEN)
    assert redacted(f"refused: {TOKEN[:-1]}") == f"refused: {MARK}"
    assert redacted(f"{TOKEN[:14]}… is no token") == f"{MARK}… is no token"


def test_secrets_that_overlap_are_one_blot() -> None:
    remember("PLANTED-abcdef", "abcdef-PLANTED")
    assert redacted("<PLANTED-abcdef-PLANTED>") == f"<{MARK}>"


def test_a_secret_inside_another_leaves_nothing_of_the_longer_one() -> None:
    remember("PLANTED", "PLANTED-and-more")
    assert redacted("PLANTED-and-more") == MARK


def test_half_a_character_in_a_secret_breaks_nothing() -> None:
    remember("PLANTED-\ud800-half")
    assert redacted("PLANTED-\ud800-half") == MARK


def test_short_values_and_none_are_passed_over() -> None:
    # A password of five letters would blot out ordinary words.
    remember(None, "", "abcde")
    assert redacted("abcde") == "abcde"


def test_threads_may_remember_and_redact_at_once() -> None:
    secrets = [f"PLANTED-{number:04d}-tail" for number in range(200)]

    def work(secret: str) -> str:
        remember(secret)
        return redacted(secret)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, secrets)) == {MARK}
    assert all(redacted(secret) == MARK for secret in secrets)


# ---------------------------------------------------------------- logs


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    logger, stream = logging.getLogger("test-redaction"), io.StringIO()
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    yield logger, stream
    logger.removeHandler(handler)


def test_what_a_library_logs_is_blotted(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    remember(TOKEN)
    logger.warning("cookie %s refused, %d left", TOKEN, 3)
    logger.warning("nothing in it: %s", {"a": 1})
    assert stream.getvalue() == f"cookie {MARK} refused, 3 left\nnothing in it: {{'a': 1}}\n"


def test_a_logged_traceback_is_blotted(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    remember(TOKEN)
    try:
        raise ValueError(f"header {TOKEN}")
    except ValueError:
        logger.exception("while searching")
    assert f"ValueError: header {MARK}" in stream.getvalue()
    assert TOKEN not in stream.getvalue()


def test_a_log_call_whose_arguments_do_not_fit_shows_none_of_them(
    log: tuple[logging.Logger, io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    logger, stream = log
    remember(TOKEN)
    logger.warning("%d left", TOKEN)
    assert stream.getvalue().startswith("%d left")
    assert TOKEN not in stream.getvalue() + "".join(capsys.readouterr())


# ---------------------------------------------------------------- tracebacks


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


# The secret is put together so that no line of source, which a traceback shows, holds it.
_MAIN = """
import sys
from cashtag import cli, redaction
from cashtag.errors import SettingsError
secret = "PLAN" + "TED-0123456789"
redaction.remember(secret)
class Module:
    @staticmethod
    def app():
        {body}
sys.modules["cashtag.cli.app"] = Module
cli.main()
"""


def test_an_unexpected_error_ends_in_a_traceback_without_secrets() -> None:
    done = run(_MAIN.format(body='raise RuntimeError(f"lost {secret}")'))
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert f"RuntimeError: lost {MARK}" in done.stderr
    assert "0123456789" not in done.stderr


def test_an_error_on_purpose_is_one_line_without_secrets() -> None:
    done = run(_MAIN.format(body='raise SettingsError(f"proxy {secret} is none")'))
    assert done.returncode == 2
    assert done.stderr == f"error: proxy {MARK} is none\n"


def test_a_thread_that_fails_shows_no_secret() -> None:
    body = (
        "import threading\n"
        "        def fail(): raise RuntimeError(secret)\n"
        "        thread = threading.Thread(target=fail, name='fetch-x')\n"
        "        thread.start(); thread.join()"
    )
    done = run(_MAIN.format(body=body))
    assert done.returncode == 0
    assert "Exception in thread fetch-x:" in done.stderr
    assert f"RuntimeError: {MARK}" in done.stderr
    assert "0123456789" not in done.stderr


def test_an_error_in_a_finalizer_shows_no_secret() -> None:
    body = "class Held:\n            def __del__(self): raise RuntimeError(secret)\n        Held()"
    done = run(_MAIN.format(body=body))
    assert f"RuntimeError: {MARK}" in done.stderr
    assert "0123456789" not in done.stderr


def test_help_pays_nothing_for_it() -> None:
    code = (
        "import sys; sys.argv = ['cashtag', '--help']\n"
        "from cashtag.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('LOADED', sorted({'logging', 'base64', 'html', 'json'} & set(sys.modules)))"
    )
    assert run(code).stdout.strip().endswith("LOADED []")


def test_the_end_of_a_thread_by_exit_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    told = threading.ExceptHookArgs((SystemExit, SystemExit(), None, None))
    redaction._uncaught_in_thread(told)
    assert capsys.readouterr().err == ""
