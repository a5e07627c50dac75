"""Pascal VOC: an XML file for each image, beside it or in `Annotations/`; pixels from 1, both ends inside the box."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from locnet.config.schema import VocSettings
from locnet.data.files import ImageIndex, stem_of, walk
from locnet.data.labels.tables import Labels, LabelsBuilder
from locnet.data.readers.numbers import number
from locnet.data.readers.text import read_bytes, read_text
from locnet.data.readers.xml import Element, parse_xml
from locnet.data.splits import parse_split
from locnet.errors import DataError

FOLDERS = ("Annotations", "annotations")
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_LISTS = ("train", "val", "trainval", "test")


def read_voc(settings: VocSettings) -> Labels:
    """Read a folder of XML files.

    Splits come from `ImageSets/Main/*.txt`, from folders called train, val (or valid) and test, or from nobody.

    Raises:
        DataError: there are no XML files, or a list of images cannot be read; single files become defects.
    """
    root = Path(settings.root).expanduser()
    folder = settings.annotations or next((name for name in FOLDERS if (root / name).is_dir()), "")
    files = walk(root, folder, (".xml",))
    if not files:
        where = f"{root}/{folder}" if folder else root
        raise DataError(f"{where}: there are no XML files in it (data.annotations names another folder)")
    lists = read_lists(root / settings.image_sets)
    builder = LabelsBuilder(root)
    images = ImageIndex(root, settings.images or "")
    split_of = _split_by_list(lists) if lists else _split_by_folder(files)
    unlisted = [file for file in files if lists and not split_of.get(stem_of(file))]
    if unlisted:
        files = sorted(set(files) - set(unlisted))
        builder.notes.append(f"{len(unlisted):,} XML files are in no list of {settings.image_sets} and are not used")
    add_files(builder, files, images, split_of)
    if not lists:
        add_unlabelled(builder, images)
    return builder.build(box_origin=settings.box_origin)


def add_files(builder: LabelsBuilder, files: Iterable[str], images: ImageIndex, split_of: dict[str, str]) -> None:
    """Add the image and the objects of each XML file."""
    rows: dict[str, str] = {}
    for file in files:
        source = f"{builder.root}/{file}"
        split = split_of.get(file) or split_of.get(stem_of(file), "")
        try:
            document = parse_xml(read_bytes(builder.root / file), "annotation")
        except DataError as error:
            text = str(error).removeprefix(f"{source}: ")
            found = images.find(stem_of(file), file)
            builder.defect("unreadable_labels", text, file=found[0] if len(found) == 1 else file, source=source)
            continue
        image = _image_of(builder, document, file, images)
        if image in rows:
            words = f"{image} is labelled by {rows[image]} too; keep one of the two"
            builder.defect("ambiguous_image", words, file=image, source=source)
        elif image:
            rows[image] = file
            _add(builder, document, image, split, source)


def add_unlabelled(builder: LabelsBuilder, images: ImageIndex) -> None:
    """Add the images that no label speaks of, where they lie beside images that one does."""
    labelled = set(builder.files) | {defect.file for defect in builder.defects}
    folders = {file.rpartition("/")[0] for file in builder.files}
    for file in images.files:
        if file not in labelled and file.rpartition("/")[0] in folders:
            builder.add_image(file)


def read_lists(folder: Path) -> dict[str, list[str]]:
    """Names of images by split, from the text files of `ImageSets/Main`; empty where there are none."""
    paths = {name: folder / f"{name}.txt" for name in _LISTS}
    lists = {name: read_text(path).split("\n") for name, path in paths.items() if path.is_file()}
    if "train" in lists:
        lists.pop("trainval", None)
    return {parse_split(name): [line.split()[0] for line in lines if line.strip()] for name, lines in lists.items()}


def _split_by_list(lists: dict[str, list[str]]) -> dict[str, str]:
    return {name: split for split, names in lists.items() for name in names}


def _split_by_folder(files: Iterable[str]) -> dict[str, str]:
    """Split by file where every file lies in a folder whose name means one."""
    found = {file: next(filter(None, map(parse_split, file.split("/")[:-1])), "") for file in files}
    return found if all(found.values()) else {}


def _image_of(builder: LabelsBuilder, document: Element, file: str, images: ImageIndex) -> str:
    """The image that an XML file is about: by its `<filename>`, or called as the file itself."""
    stated = document.value("filename").replace("\\", "/").rpartition("/")[2]
    found = (images.find(stated, file) if stated else []) or images.find(stem_of(file), file)
    source = f"{builder.root}/{file}"
    if len(found) > 1:
        words = f"{stated or stem_of(file)} may be {' or '.join(found[:3])}; give the images different names"
        for image in found:
            builder.defect("ambiguous_image", words, file=image, source=source)
        return ""
    if not found:
        name = stated or stem_of(file)
        words = f"filename={name}: there is no such image in {builder.root}"
        builder.defect("missing_image", words, file=file, source=source, value=name)
        return ""
    return found[0]


def _add(builder: LabelsBuilder, document: Element, image: str, split: str, source: str) -> None:
    objects = list(document.all("object"))
    height, width = (number(document.value("size", side)).value for side in ("height", "width"))
    whole = height >= 1 and width >= 1 and height % 1 == width % 1 == 0
    size = (int(height), int(width)) if whole else (0, 0)  # annotation tools write 0 where they do not know it
    row = builder.add_image(image, size=size, split=split, background=not objects, source=source)
    for element in objects:
        _add_object(builder, element, row, image, source)


def _add_object(builder: LabelsBuilder, element: Element, row: int, image: str, source: str) -> None:
    name, line = element.value("name"), element.line
    if not name:
        builder.defect("empty_class", "<name> is empty", file=image, source=source, line=line)
        return
    texts = [element.value("bndbox", edge) for edge in _EDGES]
    if not all(texts):
        missing = _EDGES[texts.index("")]
        builder.defect("no_box", f"{name} has no <{missing}>", file=image, source=source, line=line)
        return
    numbers = [number(text) for text in texts]
    for edge, text, found in zip(_EDGES, texts, numbers, strict=True):
        if not found.finite:
            builder.defect(
                "not_a_number", f"{edge}={text} is not a number", file=image, source=source, line=line, value=text
            )
            return
        if found.comma:
            words = f"{edge}={text} has a decimal comma; read as a point"
            builder.defect("decimal_comma", words, file=image, source=source, line=line, value=text)
    flags = [flag for flag in ("difficult", "truncated") if element.value(flag) not in ("", "0", "false", "False")]
    builder.add_object(row, name, [found.value for found in numbers], line=line, flags=flags)
