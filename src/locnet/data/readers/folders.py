"""A folder for each class: `train/cat/1.jpg`, or `cat/1.jpg` and splits by hash. No boxes."""

from __future__ import annotations

from pathlib import Path

from locnet.config.schema import FoldersSettings
from locnet.data.files import walk
from locnet.data.labels.classes import BACKGROUND
from locnet.data.labels.tables import Labels, LabelsBuilder
from locnet.data.splits import parse_split
from locnet.errors import DataError


def read_folders(settings: FoldersSettings) -> Labels:
    """Read class names from folders; a folder `background` holds images without an object.

    Raises:
        DataError: images do not lie in folders of a class.
    """
    root = Path(settings.root).expanduser()
    files = walk(root)
    if not files:
        raise DataError(f"{root}: there are no images in it")
    builder = LabelsBuilder(root)
    split_of = {file: parse_split(file.split("/")[0]) if file.count("/") > 1 else "" for file in files}
    with_splits = all(split_of.values())
    for file in files:
        folders = file.split("/")[:-1][1 if with_splits else 0 :]
        if not folders:
            builder.defect("empty_class", "the image lies in no folder of a class", file=file)
            continue
        row = builder.add_image(file, split=split_of[file] if with_splits else "", background=folders[0] == BACKGROUND)
        if folders[0] != BACKGROUND:
            builder.add_object(row, folders[0], None)
    return builder.build(has_boxes=False)
