"""Which image files a user means by a file, a folder or a pattern."""

from __future__ import annotations

import glob
from pathlib import Path

from PIL import Image

from locnet.errors import DataError


def image_suffixes() -> frozenset[str]:
    """Endings that Pillow can read, in lower case, with the dot."""
    Image.init()
    return frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in Image.OPEN)


def find_images(source: str, leave_out: Path | None = None) -> list[Path]:
    """Image files, sorted.

    Args:
        source: a file (of any name), a folder (searched with its sub-folders for endings that Pillow reads; hidden
            files and folders are left out), or a pattern such as `photos/**/*.jpg`.
        leave_out: a folder whose files do not count: the copies that an earlier call has drawn boxes on.

    Raises:
        DataError: there is none.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return [path]
    suffixes = image_suffixes()
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.suffix.lower() in suffixes and not _hidden(file, path)]
        hint = "there is no image in this folder (.jpg, .png, .webp and whatever else Pillow opens)"
    else:
        files = [Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207 - patterns may be absolute
        hint = "no such file or folder, and no file matches it as a pattern (quote patterns in the shell)"
    own = leave_out.resolve() if leave_out is not None else None
    found = sorted(file for file in files if file.is_file() and own not in file.resolve().parents)
    if not found:
        raise DataError(f"source={source}: {hint}")
    return found


def _hidden(file: Path, folder: Path) -> bool:
    """Whether a file of the folder is hidden, or lies in a hidden sub-folder (thumbnails, version control)."""
    return any(part.startswith(".") for part in file.relative_to(folder).parts)
