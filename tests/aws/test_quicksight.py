"""The QuickSight stack: valid, whole, of least rights, and showing what the page's second tab shows."""

from __future__ import annotations

import copy
import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from quicksight_integrity import findings
from quicksight_numbers import shown
from quicksight_parts import columns, named, sets, visuals, walk
from stack_template import Stack, parse

from cashtag.lake import layout, parquet
from cashtag.lake.contracts import contract, contracts
from cashtag.lake.disk import FolderStore
from cashtag.ports import Lake
from cashtag.report import posts
from cashtag.warehouse import dialect, sql
from cashtag.warehouse.duckdb import DuckDBWarehouse

ROOT = Path(__file__).parents[2]
FILE = ROOT / "cloudformation" / "quicksight.yaml"
FROM_S3 = 1_048_576  # bytes; "AWS CloudFormation quotas", CloudFormation user guide
PRINCIPAL = "arn:aws:quicksight:us-east-1:123456789012:user/default/ann"
Node = Any


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "cloudformation" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


generated = load("generate_quicksight")
EXPECTED = {
    name: generated.columns(sql.load("queries", query).text)
    for name, query in generated.SETS.items()
}


@pytest.fixture(scope="module")
def template() -> Node:
    return parse(FILE.read_text(encoding="utf-8"))


def stack(template: Node, **parameters: str) -> Stack:
    given = {"Principal": PRINCIPAL, **parameters}
    return Stack(template, name="cashtag-dev-quicksight", parameters=given)


# ---------------------------------------------------------------- the file


def test_cfn_lint_has_nothing_to_say() -> None:
    linter = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([str(linter), str(FILE)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_the_generated_block_is_as_committed() -> None:
    committed = FILE.read_text(encoding="utf-8")

    assert generated.generate.written(committed, generated.blocks()) == committed


def test_the_template_fits_into_s3_and_no_text_of_it_is_too_long(template: Node) -> None:
    assert FILE.stat().st_size <= FROM_S3 // 10
    assert max(len(q["Fn::Sub"]) for q in named(template, "SqlQuery")) <= 65_536
    assert len(template["Resources"]) < 50


def test_a_data_sets_text_is_one_select_in_athenas_grammar_bound_by_its_days(
    template: Node,
) -> None:
    made = stack(template, HistoryDays="30")
    for name, logical in sets(template).items():
        table = made.properties(logical)["PhysicalTableMap"][name]["CustomSql"]
        tree = dialect.parse(table["SqlQuery"])  # one statement, a query, by sqlglot's Trino

        assert [column.alias for column in tree.selects] == [c["Name"] for c in table["Columns"]]
        assert "date_add('day', -30, current_date)" in table["SqlQuery"]
        assert not re.search(r":[a-z]|\$\{|--", table["SqlQuery"])


def test_a_query_that_takes_more_than_days_is_refused() -> None:
    with pytest.raises(ValueError, match=r"parameter \['ticker'\] has no value in QuickSight"):
        generated.bounded("SELECT a FROM t WHERE session > :first AND ticker = :ticker")


def test_a_column_of_a_type_that_differs_by_driver_is_refused() -> None:
    with pytest.raises(ValueError, match="column partial is BOOLEAN; cast it to one of"):
        generated.columns("SELECT CAST(partial AS boolean) AS partial FROM daily_sentiment")


# ---------------------------------------------------------------- names that lead somewhere


def test_every_name_in_the_template_leads_somewhere(template: Node) -> None:
    assert findings(template, EXPECTED) == []


# Keys whose value names something that stands elsewhere in the template too.
REFERENCES = {
    "ColumnName", "DataSetIdentifier", "Identifier", "SheetId", "VisualId", "ElementId",
    "SourceFilterId", "FilterControlId", "HierarchyId", "Ref",
}  # fmt: skip
LISTS = {"TargetVisuals", "VisualIds", "Order"}
# What is declared in lists: each entry is missed somewhere when it is gone.
DECLARED = {
    "Sheets", "Visuals", "FilterGroups", "FilterControls", "Elements", "CalculatedFields",
    "DataSetIdentifierDeclarations", "Columns", "ColumnHierarchies", "Groups", "Category", "Rows",
}  # fmt: skip


def _mutations(template: Node) -> Iterator[str]:
    """Change one name of the template, or take one declaration away; say which, and undo it after."""

    def at(path: tuple[Any, ...]) -> Node:
        node = template
        for key in path:
            node = node[key]
        return node

    def rename(path: tuple[Any, ...]) -> Iterator[str]:
        parent, key = at(path[:-1]), path[-1]
        before = parent[key]
        parent[key] = f"{before}x"
        yield f"rename {'/'.join(map(str, path))}"
        parent[key] = before

    def remove(path: tuple[Any, ...]) -> Iterator[str]:
        parent, key = at(path[:-1]), path[-1]
        before = parent.pop(key)
        yield f"remove {'/'.join(map(str, path))}"
        if isinstance(parent, list):
            parent.insert(key, before)
        else:
            parent[key] = before

    for path, node in list(walk(template)):
        if len(path) < 2 or path[0] != "Resources":
            continue
        asked = path[-1] == "FieldId" and "FieldWells" not in path  # sorted, labelled, sized
        if isinstance(node, str) and (path[-1] in REFERENCES or path[-2] in LISTS or asked):
            if path[-1] != "Ref" or not node.startswith("AWS::"):
                yield from rename(path)
        elif path[-1] == "Fn::GetAtt":
            yield from rename((*path, 0))
        elif path[-1] == "DataSetId":
            yield from rename((*path, "Fn::Sub"))
        if path[-2] in DECLARED and "ExplicitHierarchy" not in path:
            yield from remove(path)
    for section in ("Parameters", "Conditions", "Resources"):
        for name in list(template[section]):
            yield from remove((section, name))


@pytest.mark.slow
def test_each_name_changed_and_each_part_taken_away_is_noticed(template: Node) -> None:
    tried, missed, changed = 0, [], copy.deepcopy(template)
    for what in _mutations(changed):
        tried += 1
        try:
            noticed = bool(findings(changed, EXPECTED))
        except (KeyError, ValueError, IndexError):
            noticed = True  # what is looked for by name is not there at all
        if not noticed:
            missed.append(what)

    assert missed == []
    assert tried > 500
    assert changed == template  # every one was undone


def test_a_type_that_a_field_does_not_take_is_noticed(template: Node) -> None:
    expected = copy.deepcopy(EXPECTED)
    made = copy.deepcopy(template)
    for found in (expected["posts"], _columns_of(made, "posts")):
        next(c for c in found if c["Name"] == "hour_ny")["Type"] = "STRING"

    assert any("hour_ny of posts is STRING" in f for f in findings(made, expected))


def _columns_of(template: Node, name: str) -> Node:
    properties = template["Resources"][sets(template)[name]]["Properties"]
    return properties["PhysicalTableMap"][name]["CustomSql"]["Columns"]


def test_visuals_that_overlap_or_leave_the_sheet_are_noticed(template: Node) -> None:
    for key, value in (("ColumnIndex", 0), ("ColumnSpan", 30)):
        made = copy.deepcopy(template)
        elements = _sheet(made, "reference")["Layouts"][0]["Configuration"]["GridLayout"]["Elements"]  # fmt: skip
        next(e for e in elements if e["ElementId"] == "mix")[key] = value
        assert findings(made, EXPECTED), key


def test_what_the_service_refuses_beyond_its_shapes_is_noticed(template: Node) -> None:
    def broken(change: Callable[[Node], None]) -> list[str]:
        made = copy.deepcopy(template)
        change(made)
        return findings(made, EXPECTED)

    def controls(made: Node) -> Node:
        return _sheet(made, "desk")["SheetControlLayouts"][0]["Configuration"]["GridLayout"]["Elements"]  # fmt: skip

    def directions(made: Node) -> Node:
        return named(made, "FilterGroups")[0][-1]["Filters"][0]["CategoryFilter"]["Configuration"]["FilterListConfiguration"]  # fmt: skip

    assert broken(lambda made: controls(made)[2].update(ColumnSpan=7, ColumnIndex=5))
    assert broken(lambda made: controls(made)[2].update(ColumnIndex=9))
    assert broken(lambda made: directions(made).update(MatchOperator="EQUALS"))
    assert broken(lambda made: directions(made).update(SelectAllOptions="FILTER_ALL_VALUES"))
    assert broken(lambda made: _sheet(made, "desk")["FilterControls"][2]["Dropdown"].update(SelectableValues={"Values": ["BUY"]}))  # fmt: skip


def _sheet(template: Node, name: str) -> Node:
    sheets = named(template["Resources"]["Board"], "Sheets")[0]
    return next(s for s in sheets if s["SheetId"] == name)


# ---------------------------------------------------------------- what is there


def test_the_first_sheet_has_the_seven_reference_visuals_where_the_picture_has_them(
    template: Node,
) -> None:
    sheet = _sheet(template, "reference")
    kinds = {v["VisualId"]: kind for kind, v in visuals(sheet)}
    elements = sheet["Layouts"][0]["Configuration"]["GridLayout"]["Elements"]
    corner = {e["ElementId"]: (e["ColumnIndex"], e["RowIndex"]) for e in elements}

    assert kinds == {
        "treemap": "TreeMapVisual",
        "mix": "BarChartVisual",
        "hours": "HeatMapVisual",
        "users": "TableVisual",
        "likes": "KPIVisual",
        "retweets": "KPIVisual",
        "replies": "KPIVisual",
        "donut": "PieChartVisual",
        "authors": "BarChartVisual",
        "tweets": "TableVisual",  # what a click on the others opens
    }
    assert [corner[v] for v in ("treemap", "mix")] == [(0, 0), (18, 0)]
    assert [corner[v] for v in ("hours", "users", "likes", "retweets", "replies")] == [
        (0, 9), (9, 9), (18, 9), (24, 9), (30, 9),
    ]  # fmt: skip
    assert [corner[v] for v in ("donut", "authors", "tweets")] == [(18, 15), (27, 15), (0, 25)]


def test_titles_are_those_of_the_picture_and_of_the_page(template: Node) -> None:
    page = (ROOT / "lambda/cashtag/report/page/index.html").read_text(encoding="utf-8")
    titles = [v["Title"]["FormatText"]["PlainText"] for _, v in visuals(_sheet(template, "reference"))]  # fmt: skip

    assert [t for t in titles if f">{t}</h2>" not in page] == []


def test_the_second_sheet_has_signals_with_reasons_price_coverage_and_portfolio(
    template: Node,
) -> None:
    sheet = _sheet(template, "desk")
    fields = {
        v["VisualId"]: set(named(v["ChartConfiguration"]["FieldWells"], "ColumnName"))
        for _, v in visuals(sheet)
    }

    assert fields["signals"] >= {"session", "ticker", "direction", "confidence", "reasons"}
    assert fields["against"] == {"session", "Polarity", "change_percent_of_session"}
    assert fields["coverage"] == {"session", "n_tweets", "coverage"}
    assert fields["equity"] == {"session", "account", "equity"}
    assert fields["held"] >= {"symbol", "quantity", "market_value", "unrealised"}
    assert fields["trades"] >= {"ticker", "direction", "filled_price", "realised", "reason"}


def test_both_sheets_filter_by_days_and_ticker_and_the_first_by_sentiment(template: Node) -> None:
    controls = {
        s: [c["SourceFilterId"] for control in _sheet(template, s)["FilterControls"] for c in control.values()]
        for s in ("reference", "desk")
    }  # fmt: skip

    assert controls == {
        "reference": ["days-range", "tickers-list", "sentiments-list"],
        "desk": ["days-range", "tickers-list", "directions-list"],
    }
    types = columns(template)
    assert [name for name, of in types.items() if of.get("session") == "DATETIME"] == [*types]
    assert {name for name, of in types.items() if "ticker" in of} == {
        "posts", "sentiment", "signals", "trades",
    }  # fmt: skip


def test_each_reference_visual_with_marks_leads_to_its_tweets(template: Node) -> None:
    leading = {
        v["VisualId"]
        for _, v in visuals(_sheet(template, "reference"))
        if named(v, "TargetVisuals") == [["tweets"]]
    }
    assert leading == {"treemap", "mix", "hours", "users", "donut", "authors"}


def test_sentiments_have_the_colours_of_the_picture_in_every_visual(template: Node) -> None:
    (colors,) = named(template, "CustomColors")

    assert [c["FieldValue"] for c in colors] == list(posts.SENTIMENTS)
    assert colors[0]["Color"] == "#1DA1F2"


# ---------------------------------------------------------------- the stack beside it


def main_stack(**parameters: str) -> Stack:
    text = (ROOT / "cloudformation" / "cashtag.yaml").read_text(encoding="utf-8")
    given = {"CodeBucket": "b", "CodeKey": "k", **parameters}
    return Stack(parse(text), name="cashtag-dev", parameters=given)


def test_a_deployment_asks_for_the_principal_alone(template: Node) -> None:
    # `cashtag deploy` gives what the main stack puts out, by name, and Stack, its name.
    key = "arn:aws:kms:us-east-1:123456789012:key/a-b"
    known = {*main_stack(KmsKey=key).outputs(), "Stack"}
    declared = template["Parameters"]

    assert {p for p in declared if p not in known and "Default" not in declared[p]} == {"Principal"}
    assert {"Stack", "KeyArn"} <= known
    assert main_stack(KmsKey=key).outputs()["KeyArn"] == key
    made = main_stack(KmsKey="create").outputs()["KeyArn"]
    assert re.search(declared["KeyArn"]["AllowedPattern"], made)
    assert "KeyArn" not in main_stack().outputs()


def test_the_sibling_reads_what_the_stack_made(template: Node) -> None:
    outputs = main_stack().outputs()
    made = stack(template)
    source = made.properties("Source")["DataSourceParameters"]["AthenaParameters"]
    statements = {s["Sid"]: s for s in _statements(made)}

    assert source["WorkGroup"] == outputs["Workgroup"]
    prefix = "arn:aws:glue:us-east-1:123456789012"
    assert f"{prefix}:database/{outputs['Database']}" in statements["Catalog"]["Resource"]
    for zone in ("Enriched", "Signals", "Ledger"):
        assert statements[f"List{zone}"]["Resource"] == f"arn:aws:s3:::{outputs[f'{zone}Bucket']}"
    assert statements["Results"]["Resource"] == f"arn:aws:s3:::{outputs['ResultsBucket']}/athena/*"


def _statements(made: Stack) -> list[dict[str, Any]]:
    (policy,) = made.properties("AthenaRole")["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_the_role_reads_the_tables_of_the_queries_and_no_others(template: Node) -> None:
    made = stack(template)
    read: set[str] = set()
    for query in generated.SETS.values():
        text = sql.without_comments(sql.load("queries", query).text)
        ctes = set(re.findall(r"(\w+) AS \(", text))
        read |= set(re.findall(r"(?:FROM|JOIN)\s+(\w+)", text)) - ctes
    statements = {s["Sid"]: s for s in _statements(made)}
    granted = {r.split("/")[-1] for r in statements["Catalog"]["Resource"] if ":table/" in r}
    objects = {
        tuple(r.removeprefix("arn:aws:s3:::cashtag-dev-").split("/")[::1])
        for r in statements["ReadTables"]["Resource"]
    }

    assert granted == read
    assert {(bucket.split("-")[0], table) for bucket, table, _ in objects} == {
        (contracts()[table].zone, table) for table in read
    }
    listed = {
        prefix.removesuffix("/*")
        for s in statements.values()
        if s["Sid"].startswith("List") and s["Sid"] != "ListResults"
        for prefix in s["Condition"]["StringLike"]["s3:prefix"]
    }
    assert listed == read


def test_the_role_reaches_the_objects_that_the_lake_writes(template: Node) -> None:
    (statement,) = [s for s in _statements(stack(template)) if s["Sid"] == "ReadTables"]
    keys = {
        "enriched": [layout.enriched("tweets", DAY)],
        "signals": [layout.signals(t, DAY) for t in ("daily_sentiment", "daily_signals")],
        "ledger": [layout.ledger(t, DAY) for t in ("trades", "positions")],
    }

    for zone, names in keys.items():
        bucket = main_stack().outputs()[f"{zone.capitalize()}Bucket"]
        for key in names:
            arn = f"arn:aws:s3:::{bucket}/{key}"
            assert any(fnmatchcase(arn, r) for r in statement["Resource"]), arn


def test_no_right_is_wider_than_its_objects(template: Node) -> None:
    for parameters in ({}, {"KeyArn": "arn:aws:kms:us-east-1:123456789012:key/a-b"}):
        for statement in _statements(stack(template, **parameters)):
            for action in _list(statement["Action"]):
                assert "*" not in action, statement["Sid"]
            if statement["Sid"] == "Catalogs":  # the service knows no resource of this action
                assert (statement["Action"], statement["Resource"]) == ("athena:ListDataCatalogs", "*")  # fmt: skip
                continue
            for resource in _list(statement["Resource"]):
                # Objects have no list of names: everything below one table's prefix.
                assert "*" not in resource.removesuffix("/*"), statement["Sid"]
                if resource.endswith("*"):
                    assert resource.startswith("arn:aws:s3:::"), statement["Sid"]
                    assert resource.count("/") == 2, statement["Sid"]
    made = stack(template)
    for _, properties in made.resources():
        for permission in properties.get("Permissions", []):
            assert permission["Principal"] == PRINCIPAL
            assert all(re.fullmatch(r"quicksight:[A-Za-z]+", a) for a in permission["Actions"])
    trust = made.properties("AthenaRole")["AssumeRolePolicyDocument"]["Statement"]
    assert [s["Principal"] for s in trust] == [{"Service": "quicksight.amazonaws.com"}]


def test_a_key_is_used_only_where_there_is_one(template: Node) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/a-b"

    assert "Key" not in {s["Sid"] for s in _statements(stack(template))}
    (statement,) = [s for s in _statements(stack(template, KeyArn=key)) if s["Sid"] == "Key"]
    assert (statement["Resource"], statement["Action"]) == (key, ["kms:Decrypt", "kms:GenerateDataKey"])  # fmt: skip


def test_viewers_look_and_change_nothing(template: Node) -> None:
    viewers = "arn:aws:quicksight:us-east-1:123456789012:group/default/desk"
    made = stack(template, Viewers=viewers)
    granted = {
        logical: p["Actions"]
        for logical, properties in made.resources()
        for p in properties.get("Permissions", [])
        if p["Principal"] == viewers
    }

    assert set(granted) == {"Board", "Look"}
    assert all(
        action.split(":")[1].startswith(("Describe", "List", "Query"))
        for actions in granted.values()
        for action in actions
    )


def test_rows_in_memory_are_fetched_daily_and_direct_ones_never(template: Node) -> None:
    kinds = {}
    for mode in ("SPICE", "DIRECT_QUERY"):
        made = stack(template, ImportMode=mode)
        kinds[mode] = sorted(p["DataSetId"] for _, p in made.resources("AWS::QuickSight::RefreshSchedule"))  # fmt: skip
        for _, properties in made.resources("AWS::QuickSight::DataSet"):
            assert properties["ImportMode"] == mode
            assert ("IngestionWaitPolicy" in properties) == (mode == "SPICE")

    assert kinds["DIRECT_QUERY"] == []
    assert kinds["SPICE"] == sorted(f"cashtag-dev-{name}" for name in generated.SETS)
    schedule = stack(template).properties("PostsRefresh")["Schedule"]
    assert schedule["ScheduleFrequency"] == {
        "Interval": "DAILY", "TimeOfTheDay": "13:15", "TimeZone": "UTC",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parameter", "right", "wrong"),
    [
        ("Principal", PRINCIPAL, "arn:aws:iam::123456789012:user/ann"),
        ("Principal", PRINCIPAL.replace("user/", "group/"), "*"),
        ("Viewers", "", "arn:aws:quicksight:us-east-1:123456789012:namespace/default"),
        ("Stack", "cashtag-prod", "cashtag"),
        ("RefreshTime", "23:59", "24:00"),
        ("KeyArn", "", "alias/cashtag"),
    ],
)
def test_parameters_refuse_what_could_not_work(
    template: Node, parameter: str, right: str, wrong: str
) -> None:
    pattern = template["Parameters"][parameter]["AllowedPattern"]

    assert re.search(pattern, right)
    assert not re.search(pattern, wrong)


def test_the_costs_stated_follow_from_their_own_figures() -> None:
    stated = FILE.read_text(encoding="utf-8")
    rows = 30 * 125 * 120
    refresh = rows * 160 / 1e9 + 5 * 0.01  # GB
    opening = 9 * 0.015 + 0.07 + 7 * 0.01

    for figure in (
        f"{rows:,} rows x {64 + 64 + 285} bytes = {rows * 413 / 1e9:.2f} GB",
        f"{refresh:.2f} GB x 30 days x $5 a TB = ${refresh * 30 * 5 / 1000:.2f}",
        f"9 x 0.015 + 0.07 + 7 x 0.01 = {opening:.2f} GB",
        f"{round(opening, 2)} GB x 10 x 30 x $5 a TB = ${round(opening, 2) * 300 * 5 / 1000:.2f}",
        f"24 + 3 = ${24 + 3}",
        "2026-10-07",
    ):
        assert figure in " ".join(re.sub(r"\n#", "", stated).split()), figure


# ---------------------------------------------------------------- the same figures as the page


DAY = date(2026, 1, 5)
FILLING = {"string": "", "double": 0.0, "bigint": 0, "integer": 0, "boolean": False}
FILLING |= {
    "date": DAY,
    "timestamp": datetime.fromisoformat("2026-01-05 12:00"),
    "array<string>": [],
}


def tweet(number: str, ticker: str, author: str, likes: int, label: str, hour: int) -> dict[str, Any]:  # fmt: skip
    made = contract("tweets")
    empty = {c.name: None if c.nullable else FILLING[c.type] for c in made.columns}
    counts = {"likes": likes, "retweets": 1, "replies": 0, "engagement": likes + 1}
    return {**empty, **counts, "tweet_id": number, "ticker": ticker, "author": author, "sentiment": label, "hour_ny": hour}  # fmt: skip


ROWS = [
    # One post about two tickers, whose rows a model labelled differently.
    tweet("1", "NVDA", "ann", 10, "positive", 8),
    tweet("1", "TSLA", "ann", 10, "negative", 8),
    tweet("2", "NVDA", "bob", 4, "neutral", 8),
    tweet("3", "NVDA", "ann", 2, "positive", 9),
    tweet("4", "TSLA", "cat", 11, "negative", 22),
]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], list[Any]]]:
    """Answer SQL over `posts`: the very text of the data set, its days as the account's clock has them."""
    import duckdb

    root = tmp_path_factory.mktemp("lake")
    zones = ("raw", "enriched", "signals", "ledger", "report")
    lake = Lake(*(FolderStore(root / zone) for zone in zones))
    made = contract("tweets")
    table = pa.Table.from_pylist(ROWS, schema=made.arrow_schema())
    lake.enriched.put(layout.enriched("tweets", DAY), parquet.write(made, table))
    days = {"first": DAY, "last": DAY, "first_dt": DAY, "last_dt": DAY}
    with DuckDBWarehouse(lake) as warehouse, duckdb.connect() as engine:
        query = sql.load("queries", generated.SETS["posts"])
        engine.register("posts", warehouse.query(query.text, days))
        yield lambda text: engine.execute(text).fetchall()


@pytest.fixture(scope="module")
def calculated(template: Node) -> dict[str, str]:
    (fields,) = named(template, "CalculatedFields")
    return {f["Name"]: f["Expression"] for f in fields}


def seen(template: Node, ask: Any, calculated: dict[str, str], name: str, where: str = "true") -> list[Any]:  # fmt: skip
    visual = next(v for _, v in visuals(_sheet(template, "reference")) if v["VisualId"] == name)
    return sorted(shown(visual, calculated, ask, where))


def test_visuals_show_what_the_page_counts(
    template: Node, ask: Any, calculated: dict[str, str]
) -> None:
    def of(name: str, where: str = "true") -> list[Any]:
        return seen(template, ask, calculated, name, where)

    assert of("treemap") == [("NVDA", 3, 19), ("TSLA", 2, 23)]  # 11 + 5 + 3; 11 + 12
    assert of("mix") == [("NVDA", "neutral", 1), ("NVDA", "positive", 2), ("TSLA", "negative", 2)]
    assert of("hours") == [("NVDA", 8, 2), ("NVDA", 9, 1), ("TSLA", 8, 1), ("TSLA", 22, 1)]
    assert of("likes") == [(27,)]  # 10 + 4 + 2 + 11: the post about both counts once
    assert of("retweets") == [(4,)]
    assert of("donut") == [("negative", 2), ("neutral", 1), ("positive", 2)]
    assert of("authors") == [("ann", 14), ("bob", 5), ("cat", 12)]
    # Filters apply before anything is counted.
    assert of("likes", "ticker = 'TSLA'") == [(21,)]
    assert of("authors", "sentiment = 'negative'") == [("ann", 11), ("cat", 12)]


def test_the_tickers_first_user_is_the_one_with_the_most_engagement(
    template: Node, ask: Any, calculated: dict[str, str]
) -> None:
    users = seen(template, ask, calculated, "users")

    assert users == [("NVDA", "ann", 14), ("NVDA", "bob", 5), ("TSLA", "ann", 11), ("TSLA", "cat", 12)]  # fmt: skip
    assert calculated["Place in ticker"].startswith("rank([sum({engagement}) DESC")
    (place,) = named(template, "NumericEqualityFilter")
    assert (place["Column"]["ColumnName"], place["Value"]) == ("Place in ticker", 1)


@pytest.mark.browser
def test_the_page_counts_the_same_rows_in_the_same_way(
    template: Node, ask: Any, calculated: dict[str, str], page: Any
) -> None:
    rows = ask("SELECT * FROM posts ORDER BY session, tweet_id, ticker")
    names = [c[0] for c in ask("DESCRIBE posts")]
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    month = posts.columns(table)
    sums = page.evaluate(TALLY, month)

    def of(name: str) -> list[list[Any]]:
        return [list(row) for row in seen(template, ask, calculated, name)]

    tickers = sorted(sums["tickers"], key=lambda t: t["ticker"])
    assert [[t["ticker"], t["n"], t["engagement"]] for t in tickers] == of("treemap")
    assert [
        [t["ticker"], label, n]
        for t in tickers
        for n, label in sorted(zip(t["labels"], posts.SENTIMENTS, strict=True), key=lambda p: p[1])
        if n
    ] == of("mix")
    assert [
        [t["ticker"], hour, n] for t in tickers for hour, n in enumerate(t["hours"]) if n
    ] == of("hours")
    assert [[sums["total"][n]] for n in ("likes", "retweets", "replies")] == [
        of(n)[0] for n in ("likes", "retweets", "replies")
    ]
    labels = zip(posts.SENTIMENTS, sums["total"]["labels"], strict=True)
    assert sorted([label, n] for label, n in labels if n) == of("donut")
    assert sorted([u["author"], u["engagement"]] for u in sums["users"]) == of("authors")


TALLY = """(month) => {
  cashtag.facts = { sessions: month.sessions };
  Object.assign(cashtag.state, { range: 'all', from: null, to: null, only: null, label: null });
  const { tickers, total, users } = cashtag.tally([month]);
  return { total, users, tickers: tickers.map(({ ticker, n, engagement, labels, hours }) => ({ ticker, n, engagement, labels, hours })) };
}"""


@pytest.fixture
def page() -> Iterator[Any]:
    """A blank page with the dashboard's own counting loaded."""
    from page_reader import ARGUMENTS, BROWSER
    from playwright.sync_api import sync_playwright

    if BROWSER is None:
        pytest.skip("no Chromium found: the page did not count")
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=BROWSER, headless=False, args=ARGUMENTS)
        opened = browser.new_page()
        for name in ("core", "store", "counted"):
            opened.add_script_tag(path=ROOT / "lambda/cashtag/report/page" / f"{name}.js")
        yield opened
        browser.close()
