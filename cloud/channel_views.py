"""The signed channel, as files: the service hands them out and cannot change them unseen. A mirror does as well."""

from pathlib import Path

from flask import Blueprint, Response, abort, redirect, send_from_directory
from werkzeug.wrappers import Response as AnyResponse

from .access import for_boxes
from .service import Service

MOST_METADATA = 8 << 20
SHA = "<string(length=64):digest>"


def add_channel(views: Blueprint, service: Service) -> None:
    """Add the views. Paths below them are those of the channel's store."""
    folder = service.options.channel.folder

    def file(key: str) -> AnyResponse:
        if folder is not None:
            return _from_folder(folder, key)
        if _walks(key):
            abort(404)
        found = service.blobs.channel_bytes(key, MOST_METADATA)
        if found is None:
            abort(404, f"{key[:200]}: not in the channel")
        answer = Response(found, mimetype="application/json")
        answer.headers["Cache-Control"] = "no-cache"
        return answer

    @views.get("/channel/metadata/<path:name>")
    @for_boxes
    def metadata(name: str) -> AnyResponse:
        return file(f"channel/metadata/{name}")

    @views.get("/channel/targets/<path:name>")
    @for_boxes
    def targets(name: str) -> AnyResponse:
        return file(f"channel/targets/{name}")

    @views.get(f"/bundles/{SHA}/<path:name>")
    @for_boxes
    def bundles(digest: str, name: str) -> AnyResponse:
        key = f"bundles/{digest}/{name}"
        if folder is not None:
            return _from_folder(folder, key)
        if _walks(key):
            abort(404)
        url = service.blobs.channel_url(key)
        if url is None:
            abort(404, f"{key[:200]}: not in the channel")
        return redirect(url, 302)


def _from_folder(folder: Path, key: str) -> AnyResponse:
    answer = send_from_directory(folder, key, mimetype="application/octet-stream", conditional=True)
    answer.headers["Cache-Control"] = "no-cache"
    return answer


def _walks(key: str) -> bool:
    return any(step in ("", ".", "..") for step in key.split("/")) or "\\" in key or not key.isprintable()
