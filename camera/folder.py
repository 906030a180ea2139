"""The replay driver under the name it had."""

from .replay import ReplaySource as FolderSource

__all__ = ["FolderSource"]
