"""Backpropagate prompts that share an encoding, few at a time."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def backward_in_passes(
    embeddings: Tensor, loss_of: Callable[[slice, Tensor], Tensor], *, count: int, together: int
) -> float:
    """Add the gradients of a loss over many prompts; the encoder is gone through once.

    Each pass's graph is freed before the next one, so memory is bounded; on a CPU few prompts at a
    time are quicker besides. The gradients that reach the embeddings are summed, and go on into
    the encoder at the end, unless it is frozen.

    Parameters
    ----------
    embeddings : Tensor
        Of the images, shared by the prompts.
    loss_of : callable
        Given a slice of the prompts and the embeddings, gives their part of the loss.
    count : int
        Of prompts.
    together : int
        Of them in a pass.

    Returns
    -------
    float
        The whole loss.
    """
    encoder_trains = embeddings.requires_grad
    leaf, total = embeddings.detach().requires_grad_(encoder_trains), 0.0
    for start in range(0, count, together):
        loss = loss_of(slice(start, min(start + together, count)), leaf)
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    if encoder_trains:
        embeddings.backward(leaf.grad)  # type: ignore[no-untyped-call]
    return total
