"""The losses that train the networks, of embeddings and labels alone. Loading this loads Keras."""

from typing import Any

import keras
from keras import ops

SCALE = 12.0
NORMALISATION = 0.7  # Share of the references' own similarity that is taken off a claim.
FAR = -1e4  # Stands for minus infinity where a maximum leaves out an entry.


@keras.saving.register_keras_serializable("countersign")
class ClaimLoss(keras.losses.Loss):  # type: ignore[misc]
    """Orders claim-normalised similarities: genuine above forged, above another writer's.

    Every genuine signature of a batch is compared with its writer's other genuine ones, on the
    whole, less a share of how alike these are among themselves, and so is every other signature of
    the batch. One ordering over all claims of the batch trains for one global threshold.

    Called with labels `(n, 2)` (number of the writer in the batch; 1 forged or 0 genuine) and unit
    embeddings `(n, d)`. Each writer needs three genuine signatures or more.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Mean loss over the genuine signatures of the batch."""
        embeddings = ops.cast(y_pred, "float32")
        writer = ops.cast(y_true[:, 0], "int32")
        genuine = ops.cast(ops.equal(ops.cast(y_true[:, 1], "int32"), 0), "float32")
        same = ops.cast(ops.equal(writer[:, None], writer[None, :]), "float32")
        scores = _claim_scores(ops.matmul(embeddings, ops.transpose(embeddings)), same, genuine)
        # scores[j, p]: probe p against the claim that holds out genuine signature j.
        logits = SCALE * scores
        own = ops.sum(logits * ops.eye(ops.shape(logits)[0]), axis=1)
        claims = ops.maximum(ops.sum(genuine), 1.0)
        another = (1.0 - same) * genuine[:, None] * genuine[None, :]
        skilled = same * genuine[:, None] * (1.0 - genuine[None, :])
        # All claims of a batch share one pool of impostors, so that one threshold fits all writers.
        another_pool = _log_sum(logits, another) - ops.log(claims)
        skilled_pool = _log_sum(logits, skilled) - ops.log(ops.maximum(ops.sum(skilled), 1.0))
        losses = ops.softplus(another_pool - own)
        losses += ops.softplus(skilled_pool - own)
        return ops.sum(genuine * losses) / claims


def _claim_scores(similarity: Any, same: Any, genuine: Any) -> Any:
    """Claim-normalised scores `(claims, probes)`, as `encoder.evaluation.trials.PLAIN` scores."""
    size = ops.shape(similarity)[0]
    others = 1.0 - ops.eye(size)
    refs = same * others * genuine[None, :] * genuine[:, None]  # [claim j, reference i]
    count = ops.maximum(ops.sum(refs, axis=1), 1.0)
    mean = ops.matmul(refs, similarity) / count[:, None]
    masked = similarity[None, :, :] + FAR * (1.0 - refs[:, :, None])  # [j, i, p]
    highest = ops.max(masked, axis=1)
    pairs = refs[:, :, None] * refs[:, None, :] * others[None, :, :]
    pair_mean = ops.sum(pairs * similarity[None], axis=(1, 2)) / ops.maximum(
        ops.sum(pairs, axis=(1, 2)), 1.0
    )
    nearest = ops.max(similarity[None] * pairs + FAR * (1.0 - pairs), axis=2)
    nearest_mean = ops.sum(ops.where(refs > 0, nearest, 0.0), axis=1) / count
    return (highest + mean) / 2 - NORMALISATION * ((pair_mean + nearest_mean) / 2)[:, None]


def _log_sum(logits: Any, chosen: Any) -> Any:
    """log of the sum of exp(logits) over the chosen entries; far below zero where none is."""
    return ops.logsumexp(logits + FAR * (1.0 - chosen))


@keras.saving.register_keras_serializable("countersign")
class ContrastiveLoss(keras.losses.Loss):  # type: ignore[misc]
    """Contrastive loss (Hadsell, Chopra, LeCun 2006) on predicted distances 0 to 1, margin 1.

    Called with labels 0 = same writer, 1 = different, and distances `(n, 1)`.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Mean loss over the pairs."""
        different = ops.cast(y_true, y_pred.dtype)
        same_part = (1.0 - different) * 0.5 * ops.square(y_pred)
        return same_part + different * 0.5 * ops.square(ops.maximum(1.0 - y_pred, 0.0))
