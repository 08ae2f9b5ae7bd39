"""`countersign adapt`: the model in use, adapted to the gallery without any labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import NEW_FOLDER
from service.cli.output import json_option, note, print_json, progress_bar, show
from service.cli.session import open_registry

if TYPE_CHECKING:
    from encoder.inference.encoder import Encoder
    from encoder.scoring.centring import Centre

FEW_WRITERS = 25


@click.command()
@click.option(
    "--into", metavar="FOLDER", type=NEW_FOLDER, required=True, help="Write the model here."
)
@json_option
def adapt(into: Path, as_json: bool) -> None:
    """Adapt the model to the enrolled signatures.

    Signatures of a scanner or a script that the model was not trained on lie shifted by something
    that all of them share, which makes everyone look alike. This computes it from the references
    of the gallery, 10 writers or more and better 25, and writes a model that takes it off before it
    compares. It needs no forgeries. The network and the stored embeddings stay, and so does the
    model in use: to undo it, use that one again. As the gallery grows, run it anew.

    Thresholds are those fitted for adapted scores when the model was exported. Where you have
    forgeries, fit them to your own signatures afterwards, with `countersign calibrate`.

    \b
    Examples:
      countersign adapt --into models/ours
      COUNTERSIGN_MODEL=models/ours countersign serve
      countersign calibrate ours/ --model models/ours --in-place
    """
    from encoder.calibration.model_update import adapt_to, require_free, write_beside
    from encoder.inference.artifact import SHIPPED
    from encoder.scoring.centring import centre_of
    from service.models.active_model import require_embeddings
    from service.models.adapt import embeddings_by_writer

    require_free(into)
    with open_registry() as (settings, registry, encoder), progress_bar() as bar:
        require_embeddings(registry, encoder)
        writers = registry.models.gallery_size(encoder.model_id).writers
        vectors = bar.track(
            embeddings_by_writer(registry, encoder.model_id), writers, description="Reading"
        )
        centre = centre_of(vectors, encoder.dimension)
    write_beside(settings.model or SHIPPED, into, adapt_to(encoder, centre))
    if as_json:
        print_json({"model": str(into), "model_id": encoder.model_id, **centre.facts()})
    else:
        show(
            f"Computed from {centre.references} references of {centre.writers} writers. The centre "
            f"lies {centre.length:.2f} from the origin; embeddings have length 1.",
            "Without adapting, what they share raises the similarity of any two signatures by "
            f"{centre.lift:.3f}.",
        )
    _caution(centre, encoder)
    written = click.format_filename(into)
    note(f"Wrote {written}. Use it with COUNTERSIGN_MODEL={written}")


def _caution(centre: Centre, encoder: Encoder) -> None:
    if centre.writers < FEW_WRITERS:
        note(
            f"{centre.writers} writers are few: with {FEW_WRITERS} or more, less of the centre is "
            "chance. Run it again when more are enrolled."
        )
    if calibrated := encoder.manifest.get("calibrated_on"):
        note(
            f"The thresholds calibrated on {calibrated['data']} are left behind: they are for "
            "other scores. Run `countersign calibrate` on the adapted model."
        )
