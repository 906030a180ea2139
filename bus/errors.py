"""What can go wrong, sorted by what the caller can do about it.

    OkngError
     +-- Lost              try again: wait, open afresh, double the wait, cap it
     |    +-- CameraLost        unplugged, silent, or the vendor's library broke
     |    +-- LinkLost          the PLC does not answer in time
     |    +-- ChannelLost       a socket to another process of the box fails
     |    +-- StoreLost         the cloud or folder that samples go to does not answer
     +-- Refused           do not try again: a person has to change something
     |    +-- BadSettings       names file, section, key, value and what was expected
     |    +-- BadRecipe         the same for a recipe
     |    +-- BadBundle         digest, shape or golden pictures of a model bundle are wrong
     |    +-- BadPicture        a picture does not decode, or has the wrong size or format
     |    +-- BadData           a set of labelled pictures is broken, changed, or on both sides of its split
     |    +-- BadLedger         the ledger cannot be opened, or is of another version
     |    +-- BadKey            a key is no key, of another kind, or open to others
     +-- Fault             stop vouching: drop READY, wait for FAULT_RESET

In all of them the part in flight is rejected and counted. A late verdict is no exception.
"""


class OkngError(Exception):
    """Root of all errors that okng raises itself."""


class Lost(OkngError):
    """The other side is gone for now. Wait, open afresh, double the wait, cap it."""


class CameraLost(Lost):
    """The camera is unplugged or silent, or its library broke."""


class LinkLost(Lost):
    """The PLC does not answer in time."""


class ChannelLost(Lost):
    """A socket to another process of the box fails, or there is none to be had."""


class StoreLost(Lost):
    """The cloud or folder that samples go to does not answer."""


class Refused(OkngError):
    """Trying again is useless: a person has to change something. The text says what."""


class BadSettings(Refused):
    """A key of the box's settings is unknown, missing or out of range."""


class CameraBusy(BadSettings):
    """Another program holds the camera: it may be had once that lets go."""


class BadRecipe(Refused):
    """A key of a recipe is unknown, missing or out of range."""


class BadBundle(Refused):
    """A model bundle is missing, damaged, of the wrong shape, or scores otherwise than stored."""


class BadPicture(Refused):
    """A picture does not decode, or has the wrong size or pixel format."""


class BadData(Refused):
    """A set of labelled pictures is broken, has changed, or would be on both sides of its split."""


class BadLedger(Refused):
    """The ledger cannot be opened, or was written by another version."""


class BadKey(Refused):
    """A key is no key, of another kind than expected, or others may read it."""


class Fault(OkngError):
    """The line must not be vouched for any longer: READY drops until FAULT_RESET."""
