"""Pictures, charts and tables in wandb's own types."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from locnet.loggers.content import Bars, Chart, LabelledBox, Lines, Matrix, Picture, PredictionTable

TRUTH, PREDICTION = "truth", "prediction"
_MOST_CLASSES = 100


def picture(shown: Picture) -> Any:
    """A `wandb.Image` with the true and the predicted box as two layers."""
    import wandb

    layers = {TRUTH: shown.truth, PREDICTION: shown.prediction}
    few = len(shown.classes) <= _MOST_CLASSES  # a thousand names with each box would be most of what is uploaded
    all_names = dict(enumerate(shown.classes)) if few else {}
    boxes = {name: _layer(box, all_names or {box.label: box.name}) for name, box in layers.items() if box is not None}
    return wandb.Image(shown.image, boxes=boxes or None, caption=shown.caption, file_type="jpg")


def chart(shown: Chart) -> Any:
    """One of wandb's custom charts, drawn from a table that is uploaded with it."""
    import wandb

    if isinstance(shown, Lines):
        columns = zip(*shown.series.values(), strict=True)
        xs, ys = ([list(map(float, values)) for values in column] for column in columns)
        return wandb.plot.line_series(xs, ys, keys=list(shown.series), title=shown.title, xname=shown.x)
    if isinstance(shown, Bars):
        rows = [[name, float(value)] for name, value in shown.bars.items()]
        return wandb.plot.bar(wandb.Table(columns=[shown.x, shown.y], data=rows), shown.x, shown.y, title=shown.title)
    return _confusion(shown)


def table(shown: PredictionTable) -> Any:
    """A `wandb.Table` whose first column is the picture, where a row has one."""
    import wandb

    rows = zip(*shown.columns.values(), strict=True)
    with_pictures = bool(shown.pictures)
    result = wandb.Table(columns=[*(["image"] if with_pictures else []), *shown.columns])
    for number, row in enumerate(rows):
        image = [picture(shown.pictures[number]) if number in shown.pictures else None] if with_pictures else []
        result.add_data(*image, *row)
    return result


def as_json(values: Mapping[str, Any]) -> str:
    """Readable, the same for the same values."""
    return json.dumps(dict(values), indent=2, sort_keys=True, default=str) + "\n"


def _layer(box: LabelledBox, names: Mapping[int, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "position": dict(zip(("minX", "minY", "maxX", "maxY"), map(float, box.edges), strict=True)),
        "class_id": box.label,
        "box_caption": _caption(box),
    }
    scores = {"p_c": box.p_c, "IoU": box.iou}
    known = {name: float(value) for name, value in scores.items() if value is not None}
    if known:
        entry["scores"] = known  # sliders in the dashboard
    return {"box_data": [entry], "class_labels": dict(names)}


def _caption(box: LabelledBox) -> str:
    if box.p_c is None:
        return box.name
    return f"{box.name} {box.p_c:.2f}" + (f", IoU {box.iou:.2f}" if box.iou is not None else "")


def _confusion(shown: Matrix) -> Any:
    """The confusion matrix of wandb from the counts; its own function wants a row an image."""
    import wandb

    cells = [
        [truth, verdict, int(shown.counts[row][column])]
        for row, truth in enumerate(shown.names)
        for column, verdict in enumerate(shown.names)
    ]
    return wandb.plot_table(
        data_table=wandb.Table(columns=["Actual", "Predicted", "nPredictions"], data=cells),
        vega_spec_name="wandb/confusion_matrix/v1",
        fields={"Actual": "Actual", "Predicted": "Predicted", "nPredictions": "nPredictions"},
        string_fields={"title": shown.title},
    )
