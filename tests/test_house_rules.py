"""The house's rules as tests: where imports may point, what SQL may say, what a README promises."""

from __future__ import annotations

import ast
import hashlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lambda" / "cashtag"

# Import direction: a room may import rooms of lower tiers, and of its own tier.
TIERS = [
    {
        "ports",
        "errors",
        "later",
        "redaction",
        "sessions",
        "sessions_table",
        "tickers",
        "settings",
        "resources",
    },
    {"lake", "warehouse"},
    {"sentiment", "scrape", "enrich", "signals", "trade", "alerts"},
    {"research", "report", "exchange"},
    {"steps", "services", "operate"},
    {"handlers", "cli"},
]
# Only these may open sockets or talk to AWS.
NETWORK = {
    "boto3", "botocore", "requests", "httpx", "urllib", "socket", "http", "aiohttp",
    "twscrape", "curl_cffi", "yfinance", "alpaca",
}  # fmt: skip
MAY_USE_NETWORK = (
    "lake/s3.py",
    "warehouse/athena.py",
    "warehouse/athena_unload.py",
    "warehouse/catalog.py",  # registers partitions with Glue
    "scrape/",
    "sentiment/sagemaker.py",
    "sentiment/comprehend.py",
    "sentiment/bedrock.py",
    "sentiment/connecting.py",
    "trade/alpaca.py",
    "alerts.py",
    "operate/",
    "services.py",
)
TOP_LEVEL = {
    "lambda",
    "sagemaker",
    "glue",
    "sample_data",
    "cloudformation",
    "notebooks",
    "tests",
    "pyproject.toml",
    "README.md",
    "Makefile",
    "LICENSE",
    "CHANGELOG.md",
    "constraints.txt",
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0].removesuffix(".py")


def tier(name: str) -> int:
    return next(level for level, rooms in enumerate(TIERS) if name in rooms)


def imports(path: Path, *, top_only: bool = False) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    found: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode:  # an unpacked archive has no git
        pytest.skip("no git checkout: the list of files is unknown")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_imports_point_downwards() -> None:
    wrong = []
    for path in modules():
        if path == PACKAGE / "__init__.py":
            continue  # `cashtag.open` is the notebook's door and imports inside the call
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "cashtag" or len(parts) < 2 or parts[1] == "__version__":
                continue
            if tier(parts[1]) > tier(room(path)):
                wrong.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert wrong == []


def test_only_the_edge_opens_sockets() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in modules()
        for name in imports(path)
        if name.split(".")[0] in NETWORK
        and not name.startswith("urllib.parse")  # takes addresses apart, opens nothing
        and not path.relative_to(PACKAGE).as_posix().startswith(MAY_USE_NETWORK)
    ]
    assert wrong == []


def test_every_module_says_what_is_in_the_room_and_stays_small() -> None:
    silent, large = [], []
    for path in modules():
        text = path.read_text(encoding="utf-8")
        if not ast.get_docstring(ast.parse(text)):
            silent.append(path.name)
        if len(text.splitlines()) > 350:
            large.append(f"{path.relative_to(PACKAGE)}: {len(text.splitlines())}")
    assert silent == []
    assert large == []


def test_no_drawers() -> None:
    drawers = {"utils", "util", "helpers", "helper", "misc", "common"}
    assert [p for p in tracked() if p.stem in drawers] == []


def test_the_top_level_is_fixed() -> None:
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


def test_the_folder_of_scripts_never_shadows_the_sdk() -> None:
    # With a package of that name at the top, the installed SDK would be merged into ours.
    assert not (ROOT / "sagemaker" / "__init__.py").exists()
    assert not (ROOT / "lambda" / "__init__.py").exists()


def test_nothing_is_caught_to_carry_on_quietly() -> None:
    wrong = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                caught = node.type
                broad = caught is None or (
                    isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"}
                )
                # A broad handler may only note and raise on, or record the failure as a block.
                allowed = any(isinstance(n, ast.Raise) for n in ast.walk(node)) or (
                    path.name == "gates.py" and any(isinstance(n, ast.Return) for n in node.body)
                )
                if broad and not allowed:
                    wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert wrong == []


def test_no_sql_in_python() -> None:
    statement = re.compile(r"\bSELECT\b[\s\S]+\bFROM\b\s+\w+")
    wrong = []
    for path in modules():
        if room(path) == "warehouse":
            continue  # the dialect builds relations over files
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in docs
                and statement.search(node.value)
                and not node.value.startswith("Example:")
            ):
                wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert wrong == []


def test_light_rooms_import_nothing_heavy_at_the_top() -> None:
    heavy = {
        "pandas",
        "pyarrow",
        "duckdb",
        "sqlglot",
        "boto3",
        "numpy",
        "rich",
        "vaderSentiment",
        "plotly",
        "exchange_calendars",
    }
    light = {
        "ports",
        "errors",
        "later",
        "sessions",
        "tickers",
        "settings",
        "resources",
        "steps",
        "services",
        "cli",
        "handlers",
    }
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {name}"
        for path in modules()
        if room(path) in light
        for name in imports(path, top_only=True)
        if name.split(".")[0] in heavy
    ]
    assert wrong == []


def test_help_imports_no_engine() -> None:
    code = (
        "import sys; sys.argv = ['cashtag', '--help']\n"
        "from cashtag.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'pandas', 'pyarrow', 'duckdb', 'sqlglot', 'numpy', 'boto3', 'pydantic'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("HEAVY []")


def test_sample_hashes_match_its_readme() -> None:
    readme = (ROOT / "sample_data" / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"`((?:raw|enriched)/[^`]+)` \| \d+ \| `([0-9a-f]{64})`", readme))
    assert listed, "the README lists no hashes"
    files = {
        path.relative_to(ROOT / "sample_data").as_posix()
        for zone in ("raw", "enriched")
        for path in (ROOT / "sample_data" / zone).rglob("*")
        if path.is_file()
    }
    assert set(listed) == files
    for name, digest in listed.items():
        data = (ROOT / "sample_data" / name).read_bytes()
        assert hashlib.sha256(data).hexdigest() == digest, name


def test_the_sample_is_small() -> None:
    size = sum(path.stat().st_size for path in (ROOT / "sample_data").rglob("*") if path.is_file())
    assert size <= 6_000_000


def readme_commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:sh|console|bash)\n(.*?)```", text, re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [
        line.removeprefix("$ ").split("  #")[0].strip()
        for line in lines
        if line and not line.startswith("#")
    ]


def test_the_readme_promises_only_commands_that_exist() -> None:
    from typer.main import get_command

    from cashtag.cli.app import app

    root = get_command(app)
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    checked = 0
    for line in readme_commands():
        words = shlex.split(line)
        if words[0] == "make":
            assert set(words[1:]) <= {*targets} | {w for w in words if "=" in w}, line
        elif words[0].endswith("cashtag"):
            command, rest = root, words[1:]
            while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
                assert rest[0] in command.commands, line
                command, rest = command.commands[rest[0]], rest[1:]
            known = {option for param in command.params for option in param.opts}
            known |= {option for param in command.params for option in param.secondary_opts}
            for word in rest:
                if word.startswith("--"):
                    assert word.split("=")[0] in known | {"--help"}, line
        else:
            assert words[0] in {"git", "cd", "python", "python3", "pip", "."}, line
        checked += 1
    assert checked >= 8


def test_every_command_that_a_message_names_exists() -> None:
    from typer.main import get_command

    from cashtag.cli.app import app

    root, wrong, found = get_command(app), [], 0
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                continue
            named = re.findall(r"`cashtag ((?:[a-z]+ ?)+)", node.value)
            if room(path) in {"operate", "cli", "handlers"}:  # a remedy stands there by itself
                named += re.findall(r"^cashtag ((?:[a-z]+ ?)+)", node.value)
            for words in named:
                command, found = root, found + 1
                for word in words.split():
                    if not hasattr(command, "commands"):
                        break
                    if word not in command.commands:
                        wrong.append(f"{path.relative_to(PACKAGE)}: cashtag {words}")
                        break
                    command = command.commands[word]
    assert wrong == []
    assert found > 60


def test_every_command_has_help_with_an_example() -> None:
    from typer.main import get_command

    from cashtag.cli.app import app

    def leaves(command, path):  # type: ignore[no-untyped-def]
        if getattr(command, "commands", None):
            for name, child in command.commands.items():
                yield from leaves(child, [*path, name])
        else:
            yield path, command

    found = list(leaves(get_command(app), []))
    assert len(found) >= 16
    for path, command in found:
        assert command.help, path
        assert (command.epilog or "").startswith("Example: cashtag "), path
        options = {option for param in command.params for option in param.opts}
        assert options & {"--lake", "--env"}, path  # which lake: a folder's, or a stack's


@pytest.mark.parametrize(
    "word",
    ["TODO", "FIXME", "XXX", "NotImplementedError"],
)
def test_nothing_is_left_unfinished(word: str) -> None:
    whole = re.compile(rf"\b{word}\b")
    found = [str(p.relative_to(ROOT)) for p in modules() if whole.search(p.read_text("utf-8"))]
    assert found == []
