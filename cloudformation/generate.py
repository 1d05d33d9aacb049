"""Make the blocks of cashtag.yaml that follow from glue/: tables, their crawler's targets, queries.

    python cloudformation/generate.py          # rewrites the template in place
    python cloudformation/generate.py --check  # exits 1 when that would change it

A block lies between a line `# >>> name` and a line `# <<< name`; all else is left as it is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from cashtag.lake.contracts import contracts
from cashtag.ports import SqlValue
from cashtag.warehouse import sql
from cashtag.warehouse.catalog import table_input

TEMPLATE = Path(__file__).parent / "cashtag.yaml"
BUCKETS = {"enriched": "EnrichedBucket", "signals": "SignalsBucket", "ledger": "LedgerBucket"}
CRAWLED = ("enriched", "signals")
LONGEST_DESCRIPTION = 1024  # characters; "AWS::Athena::NamedQuery", CloudFormation user guide
# A value of every parameter, to show how Athena's console wants it written.
EXAMPLES: Mapping[str, SqlValue] = {
    "change_sigmas": 1.96,
    "change_threshold": 0.15,
    "min_tweets": 5.0,
    "per_cell": 50,
    "ticker": "NVDA",
    "top": 15,
    "trend_volume_ratio": 1.2,
    "volume_bonus_ratio": 2.0,
}
EXAMPLE_DATE = date(2026, 1, 5)  # of every other one


class Ref(str):
    """Name of a resource or parameter, written `!Ref NAME`."""


class Sub(str):
    """Text with `${…}` in it, written `!Sub TEXT`."""


class _Dumper(yaml.SafeDumper):
    """Short forms of CloudFormation's functions, SQL as it stands, leaves on one line."""


def _text(dumper: _Dumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Ref, lambda d, value: d.represent_scalar("!Ref", str(value)))
_Dumper.add_representer(Sub, lambda d, value: d.represent_scalar("!Sub", str(value)))


def blocks() -> dict[str, str]:
    """Text of every block by its name, without indentation."""
    return {
        "tables": _dump(tables()),
        "crawled": _dump(crawled()),
        "queries": _dump(queries()),
    }


def tables() -> dict[str, Any]:
    """One AWS::Glue::Table a contract, by logical id."""
    made = {}
    for name, contract in contracts().items():
        table = table_input(contract, f"s3://${{{BUCKETS[contract.zone]}}}")
        storage = table["StorageDescriptor"]
        storage["Location"] = Sub(storage["Location"])
        made[f"{_pascal(name)}Table"] = {
            "Type": "AWS::Glue::Table",
            "Properties": {
                "CatalogId": Ref("AWS::AccountId"),
                "DatabaseName": Ref("Database"),
                "TableInput": table,
            },
        }
    return made


def crawled() -> list[Ref]:
    """Tables below which the crawler looks."""
    return [
        Ref(f"{_pascal(name)}Table")
        for name, contract in contracts().items()
        if contract.zone in CRAWLED
    ]


def queries() -> dict[str, Any]:
    """One AWS::Athena::NamedQuery a file of glue/queries, by logical id."""
    return {
        f"{_pascal(query.name)}Query": {
            "Type": "AWS::Athena::NamedQuery",
            "Properties": {
                "Name": query.name,
                "Description": query.about[:LONGEST_DESCRIPTION],
                "Database": Ref("Database"),
                "WorkGroup": Ref("Workgroup"),
                "QueryString": positional(query),
            },
        }
        for query in sql.named()
    }


def positional(query: sql.Query) -> str:
    """The query with `?` for every `:name` in a WHERE, headed by a comment that lists them in order.

    Athena binds execution parameters by place alone, and in WHERE only; its console asks for them
    one after another. What stands elsewhere has the value of the examples, to be edited there.
    """
    examples = {name: EXAMPLES.get(name, EXAMPLE_DATE) for name in query.parameters}
    asked, values = sql.qmark(query.text, examples)
    names = sql.places(query.text)
    listed = [
        f"-- {place}: {name}, as in {value}"
        for place, (name, value) in enumerate(zip(names, values, strict=True), start=1)
    ]
    return "\n".join(["-- Execution parameters, in order:", *listed, asked]) if listed else asked


def written(template: str, made: Mapping[str, str]) -> str:
    """The template with its blocks replaced.

    Raises:
        ValueError: it has no such block, or has it twice.
    """
    for name, text in made.items():
        block = re.compile(
            rf"^(?P<indent> *)# >>> {name}\n.*?^(?P=indent)# <<< {name}\n", re.M | re.S
        )
        found = block.findall(template)
        if len(found) != 1:
            raise ValueError(f"{TEMPLATE.name} has {len(found)} blocks `# >>> {name}`; keep one")
        template = block.sub(
            lambda match, name=name, text=text: _framed(match, name, text), template
        )
    return template


def _framed(match: re.Match[str], name: str, text: str) -> str:
    indent = match["indent"]
    lines = [f"# >>> {name}", *text.splitlines(), f"# <<< {name}"]
    return "".join(f"{indent}{line}\n" if line else "\n" for line in lines)


def _dump(value: Mapping[str, Any] | Sequence[Any]) -> str:
    # Each resource on its own, so that a blank line stands between two.
    if isinstance(value, Mapping):
        return "\n".join(_yaml({name: resource}) for name, resource in value.items())
    return _yaml(list(value))


def _yaml(value: Any) -> str:
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=None,
        sort_keys=False,
        allow_unicode=True,
        width=10_000,
    )
    return text


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def main(arguments: Sequence[str], template: Path, source: str, made: Mapping[str, str]) -> int:
    """Rewrite a template's blocks, or say whether they would change; return the exit code."""
    before = template.read_text(encoding="utf-8")
    after = written(before, made)
    if arguments == ["--check"]:
        if after != before:
            print(f"cloudformation/{template.name} does not fit {source}: run `make template`")
        return int(after != before)
    if after != before:
        template.write_text(after, encoding="utf-8")
    print(f"{template}: {'rewritten' if after != before else 'as it was'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], TEMPLATE, "glue/", blocks()))
