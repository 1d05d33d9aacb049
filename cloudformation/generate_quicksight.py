"""Make the block of quicksight.yaml that follows from glue/queries: its data sets, and when they refresh.

    python cloudformation/generate_quicksight.py          # rewrites the template in place
    python cloudformation/generate_quicksight.py --check  # exits 1 when that would change it

A data set is the text of a query. What a caller binds there is here a day of the account's clock:
`HistoryDays` back, and a week ahead, as a Friday's posts belong to the next week's session.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import generate

from cashtag.warehouse import lint, sql

TEMPLATE = Path(__file__).parent / "quicksight.yaml"
# Identifier of the data set in the dashboard, and its query.
SETS: Mapping[str, str] = {
    "posts": "reference_posts",
    "sentiment": "sentiment_against_price",
    "signals": "signals",
    "trades": "trades",
    "portfolio": "portfolio",
    "positions": "positions",
}
BOUNDS: Mapping[str, str] = {
    "first": "date_add('day', -${HistoryDays}, current_date)",
    "first_dt": "date_add('day', -${HistoryDays}, current_date)",
    "last": "date_add('day', 7, current_date)",
    "last_dt": "date_add('day', 7, current_date)",
}
# "InputColumn", QuickSight API reference. A boolean is BIT or BOOLEAN by the source's driver: none is used.
TYPES: Mapping[str, str] = {
    "VARCHAR": "STRING",
    "BIGINT": "INTEGER",
    "INT": "INTEGER",
    "DOUBLE": "DECIMAL",
    "DATE": "DATETIME",
    "TIMESTAMP": "DATETIME",
}
OWN_SET = (
    "DescribeDataSet",
    "DescribeDataSetPermissions",
    "PassDataSet",
    "DescribeIngestion",
    "ListIngestions",
    "UpdateDataSet",
    "DeleteDataSet",
    "CreateIngestion",
    "CancelIngestion",
    "UpdateDataSetPermissions",
)


class If(list[Any]):
    """A choice by a condition of the template, written `!If [CONDITION, THEN, ELSE]`."""


class Att(str):
    """An attribute of a resource, written `!GetAtt NAME.ATTRIBUTE`."""


generate._Dumper.add_representer(
    generate.Sub,
    lambda d, value: d.represent_scalar("!Sub", str(value), style="|" if "\n" in value else None),
)
generate._Dumper.add_representer(If, lambda d, value: d.represent_sequence("!If", list(value)))
generate._Dumper.add_representer(Att, lambda d, value: d.represent_scalar("!GetAtt", str(value)))
generate._Dumper.ignore_aliases = lambda *_: True  # CloudFormation reads none


def blocks() -> dict[str, str]:
    """Text of the block, without indentation."""
    made: dict[str, Any] = {}
    for name, query in SETS.items():
        made |= data_set(name, sql.load("queries", query))
    return {"sets": "\n".join(generate._yaml({name: made[name]}) for name in made)}


def data_set(name: str, query: sql.Query) -> dict[str, Any]:
    """The data set of a query, and its daily refresh where it is held in memory."""
    logical = f"{name.capitalize()}Set"
    own = {"Principal": generate.Ref("Principal"), "Actions": [f"quicksight:{a}" for a in OWN_SET]}
    return {
        logical: {
            "Type": "AWS::QuickSight::DataSet",
            "Properties": {
                "AwsAccountId": generate.Ref("AWS::AccountId"),
                "DataSetId": generate.Sub(f"${{Stack}}-{name}"),
                "Name": generate.Sub(f"${{Stack}} {name}"),
                "ImportMode": generate.Ref("ImportMode"),
                "IngestionWaitPolicy": If(
                    [
                        "InMemory",
                        {"WaitForSpiceIngestion": True, "IngestionWaitTimeInHours": 1},
                        generate.Ref("AWS::NoValue"),
                    ]
                ),
                "PhysicalTableMap": {
                    name: {
                        "CustomSql": {
                            "Name": name,
                            "DataSourceArn": Att("Source.Arn"),
                            "SqlQuery": generate.Sub(bounded(query.text)),
                            "Columns": columns(query.text),
                        }
                    }
                },
                "Permissions": [own],
            },
        },
        f"{name.capitalize()}Refresh": {
            "Type": "AWS::QuickSight::RefreshSchedule",
            "Condition": "InMemory",
            "DependsOn": logical,
            "Properties": {
                "AwsAccountId": generate.Ref("AWS::AccountId"),
                "DataSetId": generate.Sub(f"${{Stack}}-{name}"),
                "Schedule": {
                    "ScheduleId": "daily",
                    "RefreshType": "FULL_REFRESH",
                    "ScheduleFrequency": {
                        "Interval": "DAILY",
                        "TimeOfTheDay": generate.Ref("RefreshTime"),
                        "TimeZone": "UTC",
                    },
                },
            },
        },
    }


def bounded(text: str) -> str:
    """The query without comments, its days given by the account's clock.

    Raises:
        ValueError: it takes a parameter that is no bound of days.
    """
    bare = "\n".join(
        line.rstrip() for line in sql.without_comments(text).splitlines() if line.strip()
    )
    strange = set(sql.parameters(bare)) - BOUNDS.keys()
    if strange:
        raise ValueError(f"parameter {sorted(strange)} has no value in QuickSight; use days only")
    return re.sub(r":(\w+)", lambda m: BOUNDS[m[1]], bare) + "\n"


def columns(text: str) -> list[dict[str, str]]:
    """The query's columns as QuickSight types.

    Raises:
        ValueError: a column has a type that QuickSight does not know, or knows in two ways.
    """
    made = []
    for column in lint.typed(text).selects:
        kind = column.type.this.name if column.type else "UNKNOWN"
        if kind not in TYPES:
            raise ValueError(f"column {column.alias} is {kind}; cast it to one of {sorted(TYPES)}")
        made.append({"Name": column.alias, "Type": TYPES[kind]})
    return made


if __name__ == "__main__":
    sys.exit(generate.main(sys.argv[1:], TEMPLATE, "glue/queries", blocks()))
