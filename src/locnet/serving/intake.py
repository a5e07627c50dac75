"""What a client sends, as image files in memory: never more bytes than allowed, and never a place to read from."""

from __future__ import annotations

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message, Receive

from locnet.data.images import Encoded, Limits

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")
"""Pillow's decoders that may see a stranger's bytes; some of its others are little used, or start programs."""

_NAME_CHARACTERS = 200


async def images_of(request: Request, *, max_bytes: int, max_images: int, limits: Limits) -> list[Encoded]:
    """The images of a request: its body, or the files of a multipart form.

    Raises:
        HTTPException: 400 the form is broken, 413 too many bytes or images, 415 neither an image nor a form.
        ClientDisconnect: the client has gone.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if _stated_length(request) > max_bytes:
        raise _too_large(max_bytes)
    limited = Request(request.scope, _Limited(request.receive, max_bytes))
    if kind == "multipart/form-data":
        files = await _files(limited, max_images)
    elif kind.startswith("image/") or kind == "application/octet-stream":
        files = [("image", await limited.body())]
    else:
        raise HTTPException(415, "send the bytes of an image (content-type image/*), or multipart/form-data with files")
    return [Encoded(_shown(name), content, limits) for name, content in files]


async def _files(request: Request, max_images: int) -> list[tuple[str, bytes]]:
    try:
        form: FormData = await request.form(max_files=max_images + 1, max_fields=0)
    except (ClientDisconnect, _TooLargeError):
        raise
    except HTTPException as error:
        raise HTTPException(400, f"the form cannot be read: {error.detail}") from error
    except Exception as error:  # a charset such as idna makes the parser raise what it does not expect
        raise HTTPException(400, f"the form cannot be read ({type(error).__name__})") from error
    try:
        uploads = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        if not uploads:
            raise HTTPException(400, "the form holds no file")
        if len(uploads) > max_images:
            raise HTTPException(413, f"more than {max_images} images in one request")
        return [(upload.filename or "image", await upload.read()) for upload in uploads]
    finally:
        await form.close()


class _TooLargeError(HTTPException):
    pass


class _Limited:
    """Passes a body on as long as it is not larger than allowed, whatever its header says."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most, self._seen = receive, most, 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._seen += len(message.get("body", b""))
        if self._seen > self._most:
            raise _too_large(self._most)
        return message


def _too_large(most: int) -> _TooLargeError:
    return _TooLargeError(413, f"the body is larger than {most / 2**20:g} MB", {"Connection": "close"})


def _stated_length(request: Request) -> int:
    stated = request.headers.get("content-length", "")
    return int(stated) if stated.isdecimal() and len(stated) < 20 else 0


def _shown(name: str) -> str:
    """A client's name for its file, to be told back to it and nothing else: any text is harmless."""
    return name[:_NAME_CHARACTERS].encode("utf-8", "replace").decode()
