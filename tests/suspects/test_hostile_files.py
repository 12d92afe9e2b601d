"""Files that mean harm: refused with a reason, before memory or other places are touched."""

from __future__ import annotations

import io
import os
import resource
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from modelprint.core.errors import DataError, IntegrityError, ModelError, ModelprintError, SuspectError
from modelprint.core.suspect import Answers
from modelprint.core.untrusted import FLOOR, BombError, check_zip, read_inside, read_regular
from modelprint.data.arrays import read_npz_arrays
from modelprint.data.folders import read_image_folder
from modelprint.nn.files import ModelCard, save_model
from modelprint.nn.loading import load_model
from modelprint.nn.spec import ModelSpec, build
from modelprint.nn.weight_files import read_bytes
from modelprint.ownership.fingerprint import Fingerprint
from modelprint.suspects.onnx import OnnxSuspect
from modelprint.suspects.recorded import read_recording, record, write_recording

BODY = {"arch": "mlp", "shape": (1, 2, 2), "classes": 3}


def archive(path: Path, parts: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in parts.items():
            packed.writestr(name, data)
    return path


def zeros(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.zeros(shape, np.uint8))
    return stream.getvalue()


def claiming(shape: tuple[int, ...]) -> bytes:
    """An array whose header claims a shape, and which has 8 bytes."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue() + bytes(8)


def test_archives_of_arrays_that_unpack_to_far_more_than_they_weigh(tmp_path: Path) -> None:
    bomb = archive(tmp_path / "bomb.npz", {"x.npy": zeros((FLOOR + 1,))})
    assert bomb.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"refused: it has [\d,]+ bytes but would unpack to 67,108,993"):
        read_npz_arrays(bomb)
    with pytest.raises(SuspectError, match="would unpack to"):
        read_recording(bomb)


@pytest.mark.parametrize("shape", [(10**12,), (2**62, 4), (3,), (0,), (2**31, 2**31, 2**31)])
def test_arrays_whose_headers_claim_what_is_not_there(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = archive(tmp_path / "claim.npz", {"x.npy": claiming(shape)})
    with pytest.raises(DataError, match=r"x\.npy claims [\d,]+ bytes but has \d+"):
        read_npz_arrays(path)


@pytest.mark.parametrize("name", ["../x.npy", "/etc/x.npy", "a/../../x.npy", "c:\\x.npy"])
def test_names_that_lead_out_of_an_archive(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="leads out of the archive"):
        read_npz_arrays(archive(tmp_path / "out.npz", {name: zeros((2,))}))
    with pytest.raises(ModelError, match="leads out of the archive"):
        load_model(archive(tmp_path / "m.pt", {name: b"x"}), **BODY)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="leads out of the archive"):
        load_model(archive(tmp_path / "m.pt2", {name: b"x"}), trust_code=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.pt", "m.pt2", "out.npz"]


@pytest.mark.parametrize("suffix", [".pt", ".pt2"])
def test_checkpoints_that_unpack_to_far_more_than_they_weigh(tmp_path: Path, suffix: str) -> None:
    stream = io.BytesIO()
    torch.save({"head.weight": torch.zeros(3, 4)}, stream)
    with zipfile.ZipFile(stream) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    bomb = archive(tmp_path / f"m{suffix}", {**parts, "archive/data/9": bytes(FLOOR + 1)})
    with pytest.raises(ModelError, match=r"refused: it has [\d,]+ bytes but would unpack to"):
        load_model(bomb, **BODY, trust_code=True)  # type: ignore[arg-type]


def test_an_old_checkpoint_that_claims_a_huge_storage_takes_no_memory(tmp_path: Path) -> None:
    stream = io.BytesIO()
    torch.save({"head.weight": torch.zeros(1000)}, stream, _use_new_zipfile_serialization=False)
    data, count = stream.getvalue(), struct.pack("<q", 1000)
    place = data.rindex(count)
    (tmp_path / "m.pt").write_bytes(data[:place] + struct.pack("<q", 2**33) + data[place + 8 :])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match="not a whole PyTorch checkpoint"):
        load_model(tmp_path / "m.pt", **BODY)  # type: ignore[arg-type]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18


@pytest.mark.parametrize("name", ["m.safetensors", "m.pt", "m.onnx", "m.toml", "a.jsonl", "a.npz"])
@pytest.mark.parametrize("kind", ["device", "pipe", "loop", "dangling"])
def test_devices_pipes_and_broken_links_are_not_read(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"device": "/dev/zero", "loop": name, "dangling": "nothing"}[kind])
    read = {".onnx": OnnxSuspect, ".jsonl": read_recording, ".npz": read_recording}.get(path.suffix, load_model)
    with pytest.raises(ModelprintError, match=name.replace(".", r"\.")):
        read(path)


def test_a_link_to_a_model_is_the_model(tmp_path: Path) -> None:
    spec = ModelSpec(arch="mlp", channels=1, size=2, classes=3)
    save_model(tmp_path / "m.safetensors", build(spec), ModelCard(spec=spec))
    (tmp_path / "link.safetensors").symlink_to("m.safetensors")
    assert load_model(tmp_path / "link.safetensors").identity == load_model(tmp_path / "m.safetensors").identity


@pytest.mark.parametrize("name", ["manifest.json", "tensors.safetensors", "SHA256"])
def test_a_fingerprint_is_a_folder_of_its_own_files(tmp_path: Path, images: np.ndarray, name: str) -> None:
    whole = Fingerprint.bind(
        {
            "scheme": "adv-tra", "parameters": {}, "seed": 0, "codec": "uint8-image", "source": "s", "data": "d",
            "input": {"channels": 1, "height": 4, "width": 4, "class_names": list("abcd")}, "source_accuracy": 1.0,
            "data_name": "d", "report": {}, "calibration": [], "library": "test",
        },
        queries=images,
        true_labels=np.zeros(40, np.int64),
        source=Answers(labels=np.zeros(40, np.int64)),
        state={},
    )  # fmt: skip
    whole.save(tmp_path / "fp")
    assert Fingerprint.load(tmp_path / "fp").identity == whole.identity
    (tmp_path / "fp" / name).rename(tmp_path / name)
    (tmp_path / "fp" / name).symlink_to(tmp_path / name)
    with pytest.raises(IntegrityError, match="reached over a symbolic link"):
        Fingerprint.load(tmp_path / "fp")
    (tmp_path / "link").symlink_to("fp")
    (tmp_path / "fp" / name).unlink()
    (tmp_path / name).rename(tmp_path / "fp" / name)
    assert Fingerprint.load(tmp_path / "link").identity == whole.identity


def test_pictures_of_very_many_pixels(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.new("1", (1, 1)).save(tmp_path / name / "bomb.png")
        data = bytearray((tmp_path / name / "bomb.png").read_bytes())
        data[16:24] = struct.pack(">II", 14_000, 14_000)  # width and height, and the checksum of their chunk
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        (tmp_path / name / "bomb.png").write_bytes(data)
    with pytest.raises(DataError, match=r"bomb\.png cannot be read as an image .*decompression bomb"):
        read_image_folder(tmp_path)


def test_an_honest_recording_of_one_answer_may_pack_well(tmp_path: Path) -> None:
    images = np.zeros((20_000, 1, 2, 2), np.uint8)
    images.reshape(20_000, 4)[:, :2] = np.arange(20_000, dtype=">u2")[:, None].view(np.uint8)
    write_recording(tmp_path / "a.npz", record(images, Answers(labels=np.zeros(20_000, np.int64)), suspect="s"))
    assert len(read_recording(tmp_path / "a.npz").answers) == 20_000


def test_what_reads_strangers_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x").write_bytes(b"x")
    assert read_inside(tmp_path / "in", "x") == b"x"
    for name in ("../in/x", str(tmp_path / "in" / "x"), ""):
        with pytest.raises(ValueError, match="leads out"):
            read_inside(tmp_path / "in", name)
    with pytest.raises(OSError, match="device"):
        read_regular(Path("/dev/null"))
    with pytest.raises(zipfile.BadZipFile):
        check_zip(io.BytesIO(b"no archive"), growth=2)
    path = archive(tmp_path / "x.zip", {"x": bytes(FLOOR + 1)})
    with path.open("rb") as stream:
        check_zip(stream, growth=10_000)
        assert stream.tell() == 0
        with pytest.raises(BombError, match="would unpack"):
            check_zip(stream, growth=10)


def test_files_larger_than_the_memory_are_not_read(tmp_path: Path) -> None:
    """A hole of a terabyte takes no place on the disk."""
    path = tmp_path / "large.safetensors"
    path.touch()
    os.truncate(path, 2**40)
    with pytest.raises(OSError, match=r"1,099,511,627,776 bytes are more than the [\d,]+ of this machine's memory"):
        read_regular(path)
    with pytest.raises(ModelError, match="are more than the"):
        read_bytes(path)
