"""Where blobs are sent to and read from on a site whose store is a folder: by signed addresses alone."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, abort, request, send_file

from .access import open_to_all
from .answers import problem
from .blobs import CHUNK, PART, BadBlob
from .folder_blobs import FolderBlobs


def add_folder(views: Blueprint, blobs: FolderBlobs, most: int) -> None:
    """Add the views. most: bytes of one blob."""

    @views.put("/blobs/put/<sha256>")
    @_by_address
    def put(sha256: str) -> Response:
        _signed(blobs)
        size = int(request.args.get("size", "0"))
        request.max_content_length = min(size, most) + 1
        if blobs.head(sha256) is not None:
            return problem(412, f"{sha256}: there already")
        try:
            blobs.take(sha256, size, _body())
        except BadBlob as error:
            return problem(400, str(error))
        return Response(status=200)

    @views.put("/blobs/part/<sha256>")
    @_by_address
    def part(sha256: str) -> Response:
        _signed(blobs)
        request.max_content_length = PART + 1
        said = request.args
        try:
            etag = blobs.take_part(said.get("box", ""), said.get("upload", ""), int(said.get("n", "0")), _body())
        except BadBlob as error:
            return problem(400, str(error))
        answer = Response(status=200)
        answer.headers["ETag"] = f'"{etag}"'
        return answer

    @views.get("/blobs/get/<sha256>")
    @open_to_all
    def get(sha256: str) -> Response:
        _signed(blobs)
        place = blobs.place(sha256)
        if place is None:
            abort(404, f"{sha256}: not there")
        return send_file(place, mimetype="application/octet-stream", etag=sha256, conditional=True)


def _by_address(view: Any) -> Any:
    """A view that whoever holds a signed address may use: no cookie gives any right here, so none can be forged."""
    view.own_check = True
    return open_to_all(view)


def _signed(blobs: FolderBlobs) -> None:
    if not blobs.is_signed(request.path, request.args.to_dict()):
        abort(403, "expected an address that was signed here and still holds: ask for the blob again")


def _body() -> Iterator[bytes]:
    while chunk := request.stream.read(CHUNK):
        yield chunk
