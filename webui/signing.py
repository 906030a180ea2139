"""The way to the sign-in and back, for a key on a page that anybody may look at."""

from flask import url_for

from .access import may


def sign_in_for(right: str, back: str) -> str:
    """Where to sign in so as to come back; empty: who is here may do it."""
    if may(right):
        return ""
    return url_for("access.page", next=back)
