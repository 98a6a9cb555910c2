"""`nybble report`."""

from nybble.cli.arguments import RunPath
from nybble.report.page import write_report
from nybble.runs.folder import open_run_folder


def report(run: RunPath) -> None:
    """Write the page of a run: verdict, charts, rows, recipe. It opens in any browser, offline.

    Example: nybble report runs/demo
    """
    print(write_report(open_run_folder(run)))
