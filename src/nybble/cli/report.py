"""`nybble report`."""

from nybble.cli.arguments import RunPath
from nybble.report.page import write_report_in


def report(run: RunPath) -> None:
    """Write the page of a run or a comparison: verdict, charts, rows. It opens offline.

    Example: nybble report runs/demo
    """
    print(write_report_in(run))
