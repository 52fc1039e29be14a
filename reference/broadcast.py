"""A broadcast without any message: what every rank must have in the end."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Message = npt.NDArray[np.float64]


def message(doubles: int) -> Message:
    """Make the doubles that rank 0 has to tell, 0, 0.5, 1, 1.5 ...

    Args:
        doubles: how many; none is a message as well.

    Raises:
        ValueError: a negative number.
    """
    if doubles < 0:
        raise ValueError(f"doubles={doubles}: a message has 0 doubles or more")
    return 0.5 * np.arange(doubles, dtype=np.float64)


def broadcast(doubles: int, ranks: int) -> list[Message]:
    """Give every rank its own copy of the message.

    Args:
        doubles: length of the message.
        ranks: how many ranks there are.

    Returns:
        One message for each rank.
    """
    return [message(doubles) for _ in range(ranks)]
