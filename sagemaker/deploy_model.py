"""Put a packaged model on SageMaker: an endpoint, or a batch transform for months of raw data.

    python sagemaker/deploy_model.py build/roberta/model.tar.gz --role ARN --bucket BUCKET

uploads the artefact, makes a model and an endpoint configuration named by their content, creates
the endpoint or updates it, asks it about known sentences, and brings the previous configuration
back when its answers are not those of the packaged model. Serverless unless --real-time. Run it
again at any time: what is there already is left as it is.

--batch-transform RAW OUT scores the runs of a lake without an endpoint. RAW is the raw zone, a
folder or s3://...; the cleaned texts that have no answer yet and then the answers lie below OUT
(s3://...); the answers become the same records that scoring by endpoint makes, in --record (the
`enriched` beside a `raw`, unless given). Run again after a break: a job that goes on is waited for.

--dry-run prints the plan and what it costs a month, and asks nobody. --delete removes the endpoint
with its configurations and models; the uploaded artefacts stay unless --artefacts is given.

The role needs s3:GetObject on the uploaded model.tar.gz (and for a transform s3:GetObject,
s3:PutObject and s3:ListBucket below OUT), and to pull the image and write logs. Needs the extra
`deploy`; --dry-run does not.

Exit codes: 0 done; 2 something to correct in the call or the artefact; 3 libraries are missing;
4 the endpoint or job did not come up, or failed its test and was taken back; 5 AWS refused.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

# Run as a file or loaded by path, never as a package: the files beside it are found this way.
sys.path.append(str(Path(__file__).resolve().parent))

from deploy_cloud import connect, explained
from deploy_plan import DeployError, Plan, check_name, plan_of

EXAMPLES = """examples:
  python sagemaker/deploy_model.py build/roberta/model.tar.gz --dry-run --tweets-per-day 3000 \\
      --role arn:aws:iam::123456789012:role/cashtag-model --bucket my-models
  python sagemaker/deploy_model.py build/roberta/model.tar.gz --region eu-west-1 \\
      --role arn:aws:iam::123456789012:role/cashtag-model --bucket my-models
  python sagemaker/deploy_model.py build/roberta/model.tar.gz --real-time --instances 2 \\
      --alarm cashtag-sentiment-5xx --role ... --bucket ...
  python sagemaker/deploy_model.py build/roberta/model.tar.gz --role ... --bucket ... \\
      --batch-transform lake/raw s3://my-models/backfill --from 2026-01-01 --to 2026-03-31
  python sagemaker/deploy_model.py --delete --name cashtag-sentiment
"""


def main(arguments: Sequence[str] | None = None, *, session: Any = None, poll: float = 10.0) -> int:
    """Run the command line; return the exit code. `session`: a boto3 session to use."""
    try:
        from cashtag.errors import CashtagError
    except ImportError as error:
        print(f"deploy_model: {error}: run `pip install cashtag` first", file=sys.stderr)
        return 3
    try:
        args = _parser().parse_args(arguments)
        if args.delete:
            _delete(args, session, poll)
        elif args.dry_run:
            print("\n".join(_described(plan_of(args), args)))
        else:
            _do(plan_of(args), args, session, poll)
    except DeployError as error:
        print(f"deploy_model: {error}", file=sys.stderr)
        return error.exit_code
    except CashtagError as error:
        print(f"deploy_model: {error}", file=sys.stderr)
        return 2 if error.exit_code == 2 else 5
    return 0


def _do(plan: Plan, args: argparse.Namespace, session: Any, poll: float) -> None:
    if args.batch_transform:
        raw, out, enriched = _zones(args)
        cloud = connect(args.region, session, poll)
        from deploy_transform import backfill

        first, last = _day(args.first, "--from"), _day(args.last, "--to")
        with explained():
            for run in backfill(cloud, plan, raw, out, enriched, first, last):
                waiting = f", {run.waiting} objects wait" if run.waiting else ""
                refused = f", {run.refused} refused" if run.refused else ""
                print(f"{run.dt}: {run.texts} texts of {run.objects} objects{refused}{waiting}")
        return
    cloud = connect(args.region, session, poll)
    from deploy_endpoint import deploy

    with explained():
        print(deploy(cloud, plan))


def _delete(args: argparse.Namespace, session: Any, poll: float) -> None:
    check_name(args.name)
    if args.artefacts and not args.bucket:
        raise DeployError("--artefacts needs --bucket, which holds them")
    where = f"s3://{args.bucket}/models/{args.name}/" if args.artefacts else ""
    if args.dry_run:
        print(
            f"endpoint {args.name}, and every model and configuration named {args.name}- and ten "
            f"hex digits, would be deleted{f'; so would {where}' if where else ''}"
        )
        return
    cloud = connect(args.region, session, poll)
    from deploy_endpoint import delete, delete_artefacts

    with explained():
        gone = delete(cloud, args.name)
        if args.artefacts:
            gone += delete_artefacts(cloud, args.bucket, args.name)
    print("\n".join(f"deleted {name}" for name in gone) or f"there is nothing of {args.name}")


# ---------------------------------------------------------------- the plan, in words


def _described(plan: Plan, args: argparse.Namespace) -> list[str]:
    """The plan and its cost, line by line; nobody is asked."""
    where = args.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    region = where or "the region of your AWS configuration"
    if args.batch_transform:
        raw, out, enriched = _zones(args)
        plan_lines = [
            f"plan of a batch transform in {region} (nothing is done):",
            f"  texts       of {raw} without an answer of {plan.artefact.version}, to {out}",
            *_counted(plan, args, raw, enriched),
            f"  upload      {plan.steps()[0][1]}",
            f"  model       {plan.transform_model}, deleted after the job",
            f"  job         {plan.hosting.instances} x {plan.hosting.instance_type}",
            f"  record      in {enriched}",
        ]
    else:
        plan_lines = [f"plan for {plan.endpoint} in {region} (nothing is done):"]
        plan_lines += [f"  {step:<14}{what}" for step, what in plan.steps()]
    return [*plan_lines, *_costs(plan, args)]


def _counted(plan: Plan, args: argparse.Namespace, raw: str, enriched: str) -> list[str]:
    """How many texts there are and what they cost, where both zones are folders here."""
    if raw.startswith("s3://") or enriched.startswith("s3://"):
        return []
    from deploy_transform import texts_of

    from cashtag.operate import cost
    from cashtag.settings import load

    settings = load()
    first, last = _day(args.first, "--from"), _day(args.last, "--to")
    found = list(texts_of(None, settings, raw, enriched, plan.artefact.version, first, last))
    texts = sum(bundle.texts for bundle in found)
    prices = settings.models.cost
    took = args.milliseconds or prices.model_milliseconds
    dollars = cost.transform_job(prices, texts, took) if texts else 0.0
    return [f"              {texts:,} texts of {len(found)} runs: ${dollars:,.2f}"]


def _costs(plan: Plan, args: argparse.Namespace) -> list[str]:
    """What a month costs: this plan, and the other ways to host the same model."""
    from cashtag.operate import cost
    from cashtag.settings import load

    prices = load().models.cost
    volume = cost.volume_of(None, prices, args.tweets_per_day)
    monthly = volume.tweets_per_day * prices.days_per_month
    took = args.milliseconds or prices.model_milliseconds
    hosting = plan.hosting
    ways = {
        "serverless": cost.serverless(prices, took, hosting.memory / 1024) * monthly,
        "real-time": cost.realtime_month(prices, hosting.instances),
        "batch transform": cost.transform_job(prices, monthly, took),
    }
    chosen = "serverless" if hosting.serverless else "real-time"
    chosen = "batch transform" if args.batch_transform else chosen
    lines = [
        f"a month of {volume.tweets_per_day:,.0f} tweets a day, {took:g} ms each, by list prices "
        "([models.cost]; confirm them for your region):"
    ]
    for way, dollars in ways.items():
        mark = "  <- this plan" if way == chosen else ""
        lines.append(
            f"  {way:<18}${dollars:,.2f}  (${dollars / monthly * 1000:.4f} per 1,000){mark}"
        )
    if hosting.instance_type != INSTANCE:
        lines.append(f"  (prices of {INSTANCE}; set models.cost for {hosting.instance_type})")
    return lines


# ---------------------------------------------------------------- the call

INSTANCE = "ml.m5.large"  # what the settings' prices are of


def _zones(args: argparse.Namespace) -> tuple[str, str, str]:
    from deploy_transform import address, enriched_of

    raw, out = args.batch_transform
    address(out, "OUT")
    return raw, out, enriched_of(raw, args.record)


def _day(text: str | None, name: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise DeployError(f"{name} {text!r} is no date; write it as YYYY-MM-DD") from None


def _parser() -> argparse.ArgumentParser:
    from cashtag.settings import load

    settings = load().models
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n\nExit codes")[0],
        epilog=EXAMPLES + "\nExit codes" + (__doc__ or "").partition("\n\nExit codes")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("artefact", nargs="?", metavar="MODEL.tar.gz", help="what package_model.py wrote")
    add("--name", default=settings.sagemaker.name, help="of the endpoint (default: %(default)s)")
    add("--role", help="ARN of the role that SageMaker takes on for the model")
    add("--bucket", help="where the model is uploaded, in the endpoint's region")
    add("--region", help="default: that of your AWS configuration")
    add(
        "--memory",
        type=int,
        default=settings.cost.serverless_memory_gb * 1024,
        metavar="MB",
        help="of a serverless endpoint (default: %(default)s)",
    )
    add(
        "--concurrency",
        type=_count,
        default=settings.sagemaker.concurrency,
        help="requests at once of a serverless endpoint (default: %(default)s)",
    )
    add("--real-time", action="store_true", help="instances that are always on")
    add("--instance-type", default=INSTANCE, help="(default: %(default)s)")
    add("--instances", type=_count, default=settings.cost.instances, help="(default: %(default)s)")
    add(
        "--alarm",
        action="append",
        metavar="NAME",
        help="real-time: a tenth of the traffic first, and back when this alarm rings",
    )
    add("--image", metavar="URI", help="container instead of the Hugging Face CPU one")
    add(
        "--keep",
        type=_count,
        default=2,
        metavar="N",
        help="configurations to keep, the new one included (default: %(default)s)",
    )
    add("--batch-transform", nargs=2, metavar=("RAW", "OUT"), help="score a lake's runs")
    add("--record", metavar="ENRICHED", help="zone for the answers of a batch transform")
    add("--from", dest="first", metavar="DATE", help="first run of a batch transform")
    add("--to", dest="last", metavar="DATE", help="last run of a batch transform, included")
    add("--delete", action="store_true", help="the endpoint, its configurations and models")
    add("--artefacts", action="store_true", help="with --delete: the uploaded models too")
    add("--dry-run", action="store_true", help="print the plan and its monthly cost; ask nobody")
    add("--tweets-per-day", type=_positive, metavar="N", help="to reckon the cost with")
    add("--milliseconds", type=_positive, metavar="MS", help="a tweet takes, as you measured it")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


if __name__ == "__main__":
    sys.exit(main())
