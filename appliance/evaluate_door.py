"""`okng evaluate`: what a bundle does on labelled pictures, as a table, a page and JSON."""

from pathlib import Path

import click

from .doors import FILE, FOLDER, SOURCES, region_of, writing


@click.command()
@click.argument("bundle", type=FOLDER)
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--also", type=FOLDER, multiple=True, help="Further bundle, of another seed: tells the spread.")
@click.option("--out", type=FOLDER, default=None, help="Write report.html and report.json into this folder.")
@click.option("--html", "html_file", type=FILE, default=None, help="Write the page alone to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print all figures as JSON in place of the table.")
@click.option("--region", callback=region_of, metavar="X,Y,W,H", help="Part of each picture; default: all of it.")
@click.option(
    "--provider", type=click.Choice(["cpu", "cuda", "tensorrt", "openvino"]), default="cpu", show_default=True
)
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="Of one inference.")
@click.option("--kind", type=click.Choice(SOURCES), default="auto", show_default=True, help="What DATA is.")
@click.option("--pictures", type=FOLDER, default=None, help="Where picture names of COCO or Label Studio are found.")
@click.option("--lot-from", default="", help="Regular expression on names; its first group is the lot.")
@click.option("--leave-out-broken", is_flag=True, help="Name broken files in the report instead of refusing.")
def evaluate(
    bundle: Path,
    data: Path,
    also: tuple[Path, ...],
    out: Path | None,
    html_file: Path | None,
    as_json: bool,
    region: tuple[int, int, int, int] | None,
    provider: str,
    threads: int,
    kind: str,
    pictures: Path | None,
    lot_from: str,
    leave_out_broken: bool,
) -> None:
    """Score the labelled pictures of DATA with BUNDLE: escape, overkill, AUROC, AUPRO and more, with intervals.

    DATA: MVTec folders (its test side is used), a folder a class, COCO, YOLO, Label Studio, a manifest, or the store of
    a box. Nothing is chosen on these pictures. The exit code is 0 whatever the figures are.
    """
    from ..models.box import Box
    from ..training.data.sources import SourceOptions
    from ..training.examine import HTML, JSON, examine
    from .evaluated import told
    from .progress import phases

    source = SourceOptions.model_validate(
        {"kind": kind, "pictures": pictures, "lot_from": lot_from, "leave_out_broken": leave_out_broken}
    )
    with phases("evaluate") as progress:
        examined = examine(
            bundle,
            data,
            also=also,
            source=source,
            provider=provider,
            threads=threads,
            region=Box(*region) if region else None,
            page=out is not None or html_file is not None,
            progress=progress,
        )
    click.echo(examined.json.decode() if as_json else "\n".join(told(examined.figures)), nl=not as_json)
    written = []
    if out is not None:
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
        written += [(out / HTML, examined.html), (out / JSON, examined.json)]
    if html_file is not None:
        with writing(html_file):
            html_file.parent.mkdir(parents=True, exist_ok=True)
        written.append((html_file, examined.html))
    for path, content in written:
        with writing(path):
            path.write_bytes(content)
        click.echo(f"wrote {path}", err=True)
