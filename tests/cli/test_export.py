"""`python -m locnet.export`: files for other engines that answer as PyTorch does."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

from locnet import Localizer
from locnet.calibration import Calibration, Residuals
from locnet.config.app import Job, JobResult
from locnet.config.compose import compose
from locnet.errors import ConfigError, DataError
from locnet.formats.engines import open_engine
from locnet.runtime import exporting
from locnet.runtime.exporting import export

EXAMPLE = Path(__file__).parents[2] / "examples" / "onnx_predict.py"
GRID = {"name": "grid", "strides": [16, 32], "width": 16, "depth": 1, "bins": 0, "dropout": 0.0}
GRID |= {"read_off": "local", "edge_attention": True, "grid_stride": 8, "refine": True}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, manifest: Callable[..., Path]) -> Path:
    return manifest(tmp_path_factory.mktemp("photos") / "data", train=16, val=4, test=8, width=150, height=110)


@pytest.fixture(scope="module")
def run_of(
    tmp_path_factory: pytest.TempPathFactory, photos: Path, tiny_model: Callable[..., dict[str, Any]]
) -> Callable[..., Path]:
    """`run_of(head=..., ...)`: a run of such a network, letterboxed and calibrated."""

    def make(**model: Any) -> Path:
        run = tmp_path_factory.mktemp("run")
        (run / "checkpoints").mkdir()
        from locnet.module import LocalizerModule

        torch.manual_seed(0)
        module = LocalizerModule(
            classes=("car", "dog", "person"),
            model=tiny_model(**model),
            resize="letterbox",
            threshold=0.1,
            calibration=Calibration(1.5, 0.7, True, Residuals(9, tuple(np.linspace(0, 0.3, 9).tolist()))).plain(),
            data={"name": "csv", "root": str(photos)},
        )
        if module.model.zoom is not None:  # its scores begin at 0, which would hide what it does
            torch.nn.init.normal_(module.model.zoom.get_parameter("look.5.weight"))
        content = {"hyper_parameters": dict(module.hparams), "state_dict": module.state_dict()}
        torch.save(content, run / "checkpoints" / "best.ckpt")
        (run / "metrics.json").write_text(json.dumps({"test/iou": 0.5, "git/locnet": "abc", "val/iou": 0.4}))
        return run

    return make


@pytest.fixture(scope="module")
def run_dir(run_of: Callable[..., Path]) -> Path:
    """A run of a grid network."""
    return run_of(head=GRID)


def job(out: Path, *overrides: str) -> Job:
    return Job(config=compose("export", list(overrides)), run_dir=out, overrides=list(overrides))


def export_it(run: Path, out: Path, *overrides: str) -> JobResult:
    return export(job(out, f"checkpoint={run}", f"paths.cache={out}/cache", *overrides))


@pytest.fixture(scope="module")
def exported(run_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ONNX, int8 and .pt2 of it; the tolerances of an untrained network are wide for int8."""
    out = tmp_path_factory.mktemp("out") / "run"
    result = export_it(
        run_dir, out, "format=[onnx,int8,pt2,safetensors]", "int8_tolerance.box=60", "int8_tolerance.p_c=0.5"
    )
    assert result.exit_code == 0
    return out


@pytest.mark.slow
def test_every_format_answers_as_the_localizer_does(run_dir: Path, exported: Path, photos: Path) -> None:
    localizer = Localizer.load(run_dir, device="cpu")
    pixels = np.asarray(Image.open(photos / "images" / "003.png").convert("RGB"))
    truth = localizer(pixels)
    session = onnxruntime.InferenceSession(exported / "model.onnx", providers=["CPUExecutionProvider"])
    p_c, box, scores, label = session.run(["p_c", "box", "scores", "label"], {"images": np.stack([pixels] * 3)})
    assert p_c == pytest.approx([truth.p_c] * 3, abs=1e-2)
    assert box[2] == pytest.approx(truth.box, abs=1)
    assert scores[0] == pytest.approx(list(truth.scores.values()), abs=1e-2)
    assert label.tolist() == [truth.label] * 3
    program = torch.export.load(exported / "model.pt2")
    out = program.module()(torch.from_numpy(pixels[None].copy()))
    assert float(out["p_c"][0].detach()) == pytest.approx(truth.p_c, abs=1e-2)
    assert out["box"][0].tolist() == pytest.approx(truth.box, abs=1)
    assert Localizer.load(exported, device="cpu")(pixels) == truth  # the folder of model.safetensors
    report = json.loads((exported / "export.json").read_text())
    assert report["onnx/agreement"] == report["pt2/agreement"] == 1.0
    assert report["onnx/test/accuracy"] == report["PyTorch/test/accuracy"]
    assert report["images"] == 8
    assert report["int8/bytes"] < 0.5 * report["onnx/bytes"]


@pytest.mark.slow
def test_the_file_says_what_it_is(exported: Path) -> None:
    model = onnx.load(exported / "model.onnx")
    about = json.loads({entry.key: entry.value for entry in model.metadata_props}["locnet"])
    assert about["classes"] == ["car", "dog", "person"]
    assert (about["threshold"], about["resize"], about["git"]) == (0.1, "letterbox", "abc")
    assert about["metrics"] == {"test/iou": 0.5}
    assert about["conformal"]["count"] == 9
    assert {entry.name for entry in model.graph.input} == {"images"}
    extra = {"locnet": ""}
    torch.export.load(exported / "model.pt2", extra_files=extra)
    assert json.loads(extra["locnet"])["classes"] == about["classes"]


@pytest.mark.slow
def test_the_example_needs_no_torch(run_dir: Path, exported: Path, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('there is no torch here')")
    files = [str(photos / "images" / f"{n:03}.png") for n in (1, 5)]
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), str(exported / "model.onnx"), *files],
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for row, truth in zip(rows, Localizer.load(run_dir, device="cpu")(files), strict=True):
        assert row["p_c"] == pytest.approx(truth.p_c, abs=1e-2)
        assert (row["class"], row["verdict"]) == (truth.class_name, truth.verdict)
        assert row["box"] == pytest.approx(truth.box, abs=1)


@pytest.mark.slow
def test_openvino(run_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    assert export_it(run_dir, tmp_path / "run", "format=openvino").exit_code == 0
    assert (tmp_path / "run" / "openvino" / "model.bin").is_file()


@pytest.mark.slow
def test_a_zoom_answers_everywhere(run_of: Callable[..., Path], tmp_path: Path) -> None:
    """It cuts out of the image where the network itself says; three times, so that a convolution shrinks the image."""
    run = run_of(head=GRID | {"zoom": 64, "overview": 3}, image_size=192)
    formats = "format=[onnx,int8,pt2,openvino]" if importlib.util.find_spec("openvino") else "format=[onnx,int8,pt2]"
    result = export_it(run, tmp_path / "run", formats, "int8_tolerance.box=100", "int8_tolerance.p_c=0.5")
    assert result.exit_code == 0
    report = json.loads((tmp_path / "run" / "export.json").read_text())
    assert report["onnx/agreement"] == report["pt2/agreement"] == 1.0
    model = onnx.load(tmp_path / "run" / "model_int8.onnx")
    kinds = {tensor.data_type for tensor in model.graph.initializer if tensor.dims[1:2] == [3]}
    assert kinds == {onnx.TensorProto.FLOAT}  # the stem, at both looks


def test_a_file_that_answers_otherwise_fails_and_is_set_aside(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:

    def wrong(path: Path) -> Any:
        engine = open_engine(path)
        return lambda images: engine(images)._replace(p_c=np.array([0.123], np.float32))

    monkeypatch.setattr(exporting, "open_engine", wrong)
    result = export_it(run_dir, tmp_path / "run", "format=safetensors")
    assert result.exit_code == 1
    [line] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert line.startswith("safetensors does not answer as PyTorch does: 0.0 % of 8 images agree")
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert (tmp_path / "run" / "model.safetensors.over_tolerance").is_file()


def test_what_cannot_be_is_one_line(
    run_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, photos: Path
) -> None:
    with pytest.raises(DataError, match=r"^source=.*nowhere: no such file or folder"):
        export_it(run_dir, tmp_path / "run", "format=safetensors", f"source={tmp_path}/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^format=openvino needs openvino, .*: pip install 'locnet\[openvino\]'"):
        export_it(run_dir, tmp_path / "run", "format=[safetensors,openvino]")
    assert not (tmp_path / "run").exists()
