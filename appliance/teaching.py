"""What a teaching came to, for people."""

from ..training.taught_report import TeachReport

NAMED = 3


def told(report: TeachReport) -> list[str]:
    """Return the report as lines."""
    low, high = 100 * report.overkill_low, 100 * report.overkill_high
    unlike = ", ".join(f"{one.file} ({one.score:.2f})" for one in report.unlike[:NAMED])
    return [
        f"taught from {report.goods} good parts in {report.seconds['total']:.1f} s: model {report.digest[:12]}",
        f"threshold {report.threshold:.2f}: {report.method}",
        f"good parts expected above it: {100 * report.overkill:.2f} % (95 %: {low:.2f} .. {high:.2f} %)",
        f"the goods least like the others, look at them: {unlike}",
    ]
