"""ImageNet CLS-LOC: `Annotations/CLS-LOC` in Pascal VOC's XML, `Data/CLS-LOC` beside it; only images with a box."""

from __future__ import annotations

from pathlib import Path

from locnet.config.schema import ImagenetSettings
from locnet.data.files import ImageIndex, walk
from locnet.data.labels.tables import Labels, LabelsBuilder
from locnet.data.readers.voc import add_files
from locnet.errors import DataError


def read_imagenet(settings: ImagenetSettings) -> Labels:
    """Read `train` and `val`; the images of `test` have no public boxes.

    Raises:
        DataError: there are no XML files where they should be; single files become defects.
    """
    root = Path(settings.root).expanduser()
    base = "ILSVRC/" if (root / "ILSVRC" / "Annotations").is_dir() else ""
    builder = LabelsBuilder(root)
    for split in ("train", "val"):
        files = walk(root, f"{base}Annotations/CLS-LOC/{split}", (".xml",))
        images = ImageIndex(root, f"{base}Data/CLS-LOC/{split}")
        add_files(builder, files, images, dict.fromkeys(files, split))
    if not len(builder) and not builder.defects:
        raise DataError(f"{root}/{base}Annotations/CLS-LOC: there are no XML files in train/ or val/")
    return builder.build(box_origin=settings.box_origin)
