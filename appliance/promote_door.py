"""`okng promote`: from a registry to the signing station, and no further without a key in a person's hand."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..bus.errors import BadSettings
from .doors import FILE, FOLDER, writing
from .teach_door import version_of

if TYPE_CHECKING:
    from ..training.promote import Promoted


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--registry", "url", required=True, envvar="OKNG_REGISTRY", help="A folder, or the address of an MLflow server."
)
@click.option("--name", required=True, help="Of the model there.")
@click.option("--alias", default="challenger", show_default=True, help="Which version: the one it stands for.")
@click.option("--champion", default="champion", show_default=True, help="Alias of what it is held against.")
@click.option("--out", type=FOLDER, required=True, help="Folder of the bundle to make; must not exist.")
@click.option("--version", callback=version_of, default=None, help="Of the bundle; default: as it was made.")
@click.option("--allow-operator", "operators", multiple=True, help="Of ONNX, beside those on the list. May come again.")
@click.option("--changed-code", is_flag=True, help="Let a model through whose code differs from its commit.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--sign-with", "key", type=FILE, default=None, help="Sign it at once: private key, PEM, EC.")
@click.option("--certificate", type=FILE, default=None, help="Of that key.")
@click.option("--chain", type=FILE, multiple=True, help="Certificates from its issuer up. May come again.")
@click.option("--publish", is_flag=True, help="Then `okng channel publish` it; what follows -- goes there.")
@click.argument("publishing", nargs=-1, type=click.UNPROCESSED)
def promote(
    url: str,
    out: Path,
    as_json: bool,
    key: Path | None,
    certificate: Path | None,
    chain: tuple[Path, ...],
    publish: bool,
    publishing: tuple[str, ...],
    **asked: Any,
) -> None:
    """Fetch a model, check it anew, write the bundle, say what it is and how it differs from the champion.

    Here it stops: a person signs what they have read (`okng bundle sign`) and publishes it (`okng channel publish`).
    Whoever holds the keys may say --sign-with and --publish, and what that takes after `--`.
    """
    from pydantic import ValidationError

    from ..training.promote import PromoteOptions
    from ..training.promote import promote as promote_model
    from ..training.registry import aliased, named, open_registry

    if (key is None) != (certificate is None):
        raise BadSettings("--sign-with and --certificate: expected both, or neither")
    if publish and key is None:
        raise BadSettings("--publish: expected --sign-with: what nobody has signed is not published")
    if publishing and not publish:
        raise BadSettings(f"{' '.join(publishing)}: expected --publish before --")
    named(asked["name"]), aliased(asked["alias"]), aliased(asked["champion"])
    try:
        options = PromoteOptions(
            **{**asked, "version": asked["version"] or "", "operators": frozenset(asked["operators"])}
        )
    except ValidationError as error:
        raise BadSettings("; ".join(f"{one['loc']}: {one['msg']}" for one in error.errors())) from error
    with writing(out):
        done = promote_model(open_registry(url), options, out, lambda line: click.echo(line, err=True))
    _say(done, out, as_json)
    if key is None or certificate is None:
        if not as_json:
            click.echo(f"\nnot signed. Read it, then: okng bundle sign {out} --key KEY --certificate PEM")
            click.echo(f"and then: okng channel publish {out} --ca PEM --line LINE --recipe RECIPE --ring ...")
        return
    from ..fleet.signing import sign

    click.echo(f"signed: {sign(out, key, certificate, chain)}", err=as_json)
    if publish:
        from .channel_door import publish as publish_channel

        publish_channel.main([str(out), *publishing], "okng channel publish", standalone_mode=False)


def _say(done: "Promoted", out: Path, as_json: bool) -> None:
    import dataclasses
    import json

    from .bundle_words import bundle_json, bundle_table, difference_table, tell

    source, champion = done.source, done.champion
    if as_json:
        said = {
            **bundle_json(done.bundle),
            "source": {"model": source.name, "version": source.version, "run": source.run},
            "champion": champion.version if champion else None,
            "difference": dataclasses.asdict(done.difference) if done.difference else None,
            "reference_difference": done.reference_difference,
            "notes": list(done.notes),
        }
        click.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    tell(bundle_table(done.bundle))
    if done.difference is not None and champion is not None:
        tell(difference_table(done.difference, f"champion {champion.version}", f"{source.name} {source.version}"))
    graph = done.walked
    click.echo(
        f"graph: opset {graph.opset}, {graph.nodes} nodes of {len(graph.operators)} operators, "
        f"{graph.tensors} tensors, {graph.weights / 1e6:.1f} MB"
    )
    click.echo(f"golden: {done.golden.detail}; from ONNX's reference at most {done.reference_difference:.2g}")
    train = done.bundle.manifest.train
    for name in ("dataset", "dataset_sha256", "commit", "run", "made_as", "sbom_sha256"):
        click.echo(f"{name}: {train.get(name, 'not known')}")
    for note in done.notes:
        click.echo(f"note: {note}")
    click.echo(f"digest: {done.bundle.digest}")
