"""Templates compiled once for all applications of the tests and all their processes: each test makes one of its own."""

from flask import Flask
from jinja2 import FileSystemBytecodeCache


def keep_compiled() -> None:
    """Have every application of this process look in Jinja's own folder, which goes by the digest of a template."""
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": FileSystemBytecodeCache()}
