"""Files are whole or not there, and a checkpoint knows when it has been changed."""

from __future__ import annotations

import resource
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from locnet.errors import CheckpointError
from locnet.runtime.checkpoint_io import CheckpointFiles
from locnet.runtime.files import replace_text
from locnet.runtime.storage import LAST, PREVIOUS, is_damaged, write_checkpoint

CONTENT: dict[str, Any] = {"weights": torch.arange(4096.0), "step": 3, "names": ["a", "é"]}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("written") / "a.ckpt"
    write_checkpoint(CONTENT, path)
    return path


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow above 8 KiB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_torch_and_zip_tools_read_a_sealed_checkpoint(written: Path) -> None:
    for mmap in (False, True):
        content = torch.load(written, weights_only=True, mmap=mmap)
        assert torch.equal(content["weights"], CONTENT["weights"])
        assert content["names"] == ["a", "é"]
    with zipfile.ZipFile(written) as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(b"sha256:")
    assert not is_damaged(written)
    assert [file.name for file in written.parent.iterdir()] == ["a.ckpt"]


def test_a_checkpoint_of_another_program_is_taken_as_it_is(tmp_path: Path) -> None:
    torch.save(CONTENT, tmp_path / "a.ckpt")
    assert not is_damaged(tmp_path / "a.ckpt")


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_bit_that_changes_is_noticed(written: Path, tmp_path: Path, where: float, bit: int) -> None:
    """In the part that the checksum covers; torch itself loads changed weights without a word."""
    content = bytearray(written.read_bytes())
    content[int(where * (len(content) - 73))] ^= 1 << bit
    path = tmp_path / "changed.ckpt"
    path.write_bytes(content)
    assert is_damaged(path)


def test_the_last_one_before_is_kept(tmp_path: Path) -> None:
    files = CheckpointFiles()
    for step in range(3):
        files.save_checkpoint({"step": step}, tmp_path / "new" / LAST)
    kept = {path.name: torch.load(path, weights_only=True)["step"] for path in (tmp_path / "new").iterdir()}
    assert kept == {LAST: 2, PREVIOUS: 1}
    files.save_checkpoint({"step": 9}, tmp_path / "new" / "best.ckpt")
    assert len(list((tmp_path / "new").iterdir())) == 3


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_one_line_and_leaves_the_checkpoint_alone(tmp_path: Path) -> None:
    path = tmp_path / LAST
    write_checkpoint({"step": 1}, path)
    with pytest.raises(CheckpointError) as error:
        write_checkpoint(CONTENT, path, previous=tmp_path / PREVIOUS)
    assert str(error.value).startswith(
        f"{path} cannot be written (File too large); the checkpoints before it are intact"
    )
    assert "resume=RUN_DIR" in str(error.value)
    assert [file.name for file in tmp_path.iterdir()] == [LAST]
    assert torch.load(path, weights_only=True) == {"step": 1}


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"a.ckpt cannot be written \((Not a directory|File exists)\)"):
        write_checkpoint(CONTENT, tmp_path / "file" / "a.ckpt")


def test_text_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    replace_text(path, "one")
    replace_text(path, "zwei é")
    assert path.read_text(encoding="utf-8") == "zwei é"
    assert list(tmp_path.iterdir()) == [path]
