"""Makes another model the active one, once it has seen what the last enrollments left to it.

Servers notice by themselves, and open it beside the one before: see `live_services`.
"""

from collections.abc import Callable, Generator, Sequence

from encoder.inference.encoder import Encoder
from index.registry.models import KnownModel
from index.registry.registry import Registry
from index.sync.gallery_interface import Gallery
from service.errors import InvalidInput, SwitchRefused
from service.models.reencode import Reencoded, Unusable, reencode

# What a switch embeds itself: enough for enrollments since `countersign reencode` was done.
COMPLETES = 200
# Each round embeds what was enrolled during the one before it.
ROUNDS = 100
LEAST_ID_DIGITS = 4
SHOWN_IDS = 10


def find_model(text: str, registry: Registry) -> KnownModel:
    """Return the model of this name, or of the id that starts so.

    Raises:
        InvalidInput: there is none, or more than one.
    """
    known = registry.models.known()
    found = [one for one in known if text == one.name]
    if len(text) >= LEAST_ID_DIGITS:
        found += [one for one in known if one.model_id.startswith(text) and one not in found]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{one.name} ({one.model_id[:12]})" for one in found or known)
    raise InvalidInput(
        f"{text!r} is the name, or the beginning of the id, of "
        f"{'more than one model' if found else 'no model'} here; there are {listed or 'none'}."
    )


def model_before(registry: Registry) -> KnownModel:
    """Return the model that a rollback goes back to.

    Raises:
        SwitchRefused: the active model is the first one.
    """
    found = [one for one in registry.models.known() if one.state == "before"]
    if not found:
        raise SwitchRefused("No model was active before this one; there is nothing to go back to.")
    return found[0]


def switch(
    target: KnownModel,
    *,
    registry: Registry,
    build_model: Callable[[str], tuple[Encoder, Gallery]],
    caller: str,
    completes: int | None = COMPLETES,
) -> Generator[Reencoded, None, None]:
    """Make a model the active one, once it has seen every reference; yields what it embeds.

    Before, its index is saved, so that servers of this host open it quickly.

    Args:
        target: the model to switch to.
        registry: where it becomes the active one.
        build_model: loads a model by its id, and builds its index.
        caller: who asked for it.
        completes: the most references to embed for it now; None is all there are.

    Raises:
        SwitchRefused: too many are missing, or it finds no signature in some, or people are
            enrolled faster than it can follow.
        ArtifactError: servers of this version could not open it.
    """
    if completes is not None and target.missing > completes:
        raise SwitchRefused(
            f"The model {target.name!r} ({target.model_id[:12]}) has yet to see {target.missing} "
            f"of {target.references} references. Run `countersign reencode --model FOLDER` with "
            "its folder, then switch."
        )
    encoder, gallery = build_model(target.model_id)
    gallery.open()
    gallery.close()  # This saves it.
    for _ in range(ROUNDS):
        for batch in reencode(encoder=encoder, registry=registry):
            yield batch
            if batch.unusable:
                raise SwitchRefused(_unusable(target, batch.unusable))
        if registry.models.switch(target.model_id, caller) == 0:
            return
    raise SwitchRefused(
        "References are being enrolled faster than the model can embed them. Switch again when "
        "fewer are, or when an import has ended."
    )


def _unusable(target: KnownModel, unusable: Sequence[Unusable]) -> str:
    shown = ", ".join(str(one.reference_id) for one in unusable[:SHOWN_IDS])
    return (
        f"The model {target.name!r} finds no signature in some references (numbers {shown}), so "
        "their writers could not be compared by them. `countersign reencode` lists all, with "
        "reasons. Erase them (DELETE /v1/writers/WRITER/references/NUMBER), or keep the model."
    )
