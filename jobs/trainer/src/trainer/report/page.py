"""What a run measured in, one HTML file that a person reads and the same content as JSON out.

The HTML is self-contained: its plots are inline SVG and nothing is fetched, so it can be mailed, archived and diffed.
"""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import jinja2

from trainer.report import plots
from trainer.report.figures import RunReport


def write(report: RunReport, path: Path) -> None:
    """Write the report to `path` (.html) and its content beside it as .json; equal reports make equal files.

    Raises:
        OSError: a file cannot be written.
    """
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = templates.get_template("report.html.j2").render(report=report, plots=plots.draw(report))
    path.write_text(page, encoding="utf-8")
    content = json.dumps(asdict(report), indent=1, ensure_ascii=False, default=datetime.isoformat)
    path.with_suffix(".json").write_text(content + "\n", encoding="utf-8")
