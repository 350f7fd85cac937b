"""What every encoder–decoder is asked before it runs, whatever it is made of."""

from torch import Tensor


def check_forward(source: Tensor, target: Tensor, teacher_forcing_ratio: float = 1.0) -> None:
    """Raise ``ValueError``, saying what to do, unless an encoder–decoder can be called with these."""
    if not 0 <= teacher_forcing_ratio <= 1:
        raise ValueError(f"teacher_forcing_ratio is a share from 0 to 1, not {teacher_forcing_ratio}.")
    if target.dim() != 2 or target.size(1) == 0 or target.size(0) != source.size(0):
        raise ValueError(
            f"target must be ({source.size(0)}, target): for each source sentence a row that begins with the start "
            f"token; got {tuple(target.shape)}."
        )
