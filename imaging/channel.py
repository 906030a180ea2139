"""One plane of a picture: its luma, or one of its colours."""

import numpy as np

from .grey import grey_of
from .measured import NotMeasured
from .picture import Picture
from .rule_options import Channel

_COLOURS: dict[str, int] = {"red": 0, "green": 1, "blue": 2}


def channel_of(picture: Picture, channel: Channel) -> Picture:
    """Return rows x columns uint8, a view where it can be. NotMeasured: a colour of a grey picture."""
    if channel == "grey":
        return grey_of(picture)
    if picture.ndim == 2:
        raise NotMeasured(f"channel = {channel}: expected a picture with colours, this one is grey")
    return np.asarray(picture[:, :, _COLOURS[channel]], np.uint8)
