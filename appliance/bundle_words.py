"""Bundles as people read them: tables of one, of the difference of two, of many."""

import sys
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..models.bundle import Bundle
from ..models.difference import Difference, Row, figures, is_key_figure
from ..models.manifest import Manifest, Threshold

_MOST_ROWS = 40
_WIDE = 140
_KB = 1000


def tell(what: RenderableType) -> None:
    """Print tables; into a file or a pipe they are wide enough for a digest. Nothing in a bundle is markup."""
    Console(width=None if sys.stdout.isatty() else _WIDE, markup=False, highlight=False).print(what)


def bundle_json(bundle: Bundle, signer: str = "") -> dict[str, Any]:
    """Return all there is to say of a bundle as plain values."""
    return {
        "digest": bundle.digest,
        "folder": str(bundle.folder),
        "signed": bundle.signed,
        "signer": signer,
        "lesson": bundle.lesson is not None,
        "golden": {one.name: {"score": one.score, "ok": one.ok, "spots": one.spots} for one in bundle.golden},
        "figures": figures(bundle.report),
        "manifest": bundle.manifest.model_dump(mode="json"),
    }


def bundle_table(bundle: Bundle) -> RenderableType:
    """Return a bundle as tables: what it is, what it promises, what it holds."""
    manifest, threshold = bundle.manifest, bundle.manifest.threshold
    what = _plain(f"{manifest.name} {manifest.version}")
    entry, out = manifest.input, manifest.output
    for name, value in (
        ("digest", bundle.digest),
        ("made", manifest.created_at),
        ("kind", out.adapter),
        ("input", f"{entry.width}x{entry.height}, {'grey' if entry.channels == 1 else 'RGB'}, cut by {entry.crop}"),
        ("map", f"{out.columns}x{out.rows}"),
        ("threshold", f"{threshold.value:g}: {threshold.method}"),
        ("promised", threshold.target or "nothing"),
        ("overkill", _share(threshold, "overkill", threshold.goods, "held-out goods")),
        ("escape", _share(threshold, "escape", threshold.defects, "defective parts")),
        ("time budget", "none" if manifest.budget_ms is None else f"{manifest.budget_ms:g} ms an inference"),
        ("signed", "yes (okng bundle verify --ca says by whom)" if bundle.signed else "no"),
        ("goods can be added", "yes" if bundle.lesson is not None else "no: it holds no lesson"),
        ("golden pictures", f"{len(bundle.golden)}, of them {sum(not one.ok for one in bundle.golden)} not OK"),
    ):
        what.add_row(name, value)
    tables = [what]
    if out.classes:
        tables.append(_classes(manifest))
    key = {name: value for name, value in figures(bundle.report).items() if is_key_figure(name)}
    if key:
        told = _plain("report")
        for name, figure in list(key.items())[:_MOST_ROWS]:
            told.add_row(name, f"{figure:.4g}")
        tables.append(told)
    if manifest.train:
        taught = _plain("how it was made")
        for name, train in manifest.train.items():
            taught.add_row(name, str(train))
        tables.append(taught)
    files = Table("file", "kB", "sha256", title="files", title_justify="left")
    for name, file in manifest.files.items():
        if not name.startswith("golden/"):
            files.add_row(name, f"{file.size / _KB:.1f}", file.sha256[:16])
    return Group(*tables, files)


def list_table(found: list[tuple[Path, Bundle | str, tuple[str, ...]]]) -> Table:
    """Return bundles, one a row. Each: folder, the bundle or what is wrong with it, names of the links to it."""
    table = Table("folder", "name", "kind", "digest", "made", "signed", "in use as")
    for folder, bundle, links in found:
        if isinstance(bundle, str):
            table.add_row(folder.name, Text(bundle, style="red"), "", "", "", "", ", ".join(links))
            continue
        manifest = bundle.manifest
        table.add_row(
            folder.name,
            f"{manifest.name} {manifest.version}",
            manifest.output.adapter,
            bundle.digest[:12],
            manifest.created_at[:16],
            "yes" if bundle.signed else "no",
            ", ".join(links),
        )
    return table


def difference_table(found: Difference, left: str, right: str) -> RenderableType:
    """Return what differs between two bundles as tables, left beside right."""
    if found.same:
        return "one content: the digests are equal"
    tables: list[RenderableType] = []
    for title, rows in (
        ("manifest", found.manifest),
        ("golden scores", found.golden),
        ("report", found.report),
    ):
        if rows:
            table = Table("", left, right, "change", title=title, title_justify="left")
            for row in rows[:_MOST_ROWS]:
                table.add_row(row.name, _said(row.left), _said(row.right), _change(row))
            if len(rows) > _MOST_ROWS:
                table.add_row(f"and {len(rows) - _MOST_ROWS} more (--json has them)", "", "", "")
            tables.append(table)
    if found.looked_at:
        said = f"{len(found.flips)} other verdicts on {found.looked_at} pictures"
        if not found.flips:
            return Group(*tables, said)
        table = Table("picture", left, right, title=said, title_justify="left")
        for flip in found.flips[:_MOST_ROWS]:
            words = ("OK", "NG") if flip.left_ok else ("NG", "OK")
            table.add_row(flip.picture, f"{words[0]} {flip.left_score:.4g}", f"{words[1]} {flip.right_score:.4g}")
        tables.append(table)
    return Group(*tables)


def _plain(title: str) -> Table:
    table = Table(show_header=False, title=title, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _classes(manifest: Manifest) -> Table:
    table = Table("class", "limit", title="classes", title_justify="left")
    for name in manifest.output.classes:
        table.add_row(name, f"{manifest.class_limit(name):g}")
    return table


def _share(threshold: Threshold, kind: str, parts: int, of_what: str) -> str:
    value = getattr(threshold, f"{kind}_percent")
    if value is None or not parts:
        return f"unknown: no {of_what} were there to tell"
    low, high = getattr(threshold, f"{kind}_low_percent"), getattr(threshold, f"{kind}_high_percent")
    between = "" if low is None or high is None else f" ({low:.2f}..{high:.2f} at 95 %)"
    return f"{value:.2f} %{between}, from {parts} {of_what}"


def _said(value: str | float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else value


def _change(row: Row) -> str:
    return "" if row.change is None else f"{row.change:+.4g}"
