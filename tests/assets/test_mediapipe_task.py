"""The .task builder, on models of a few bytes."""

import io
import struct
import zipfile

import flatbuffers
import pytest
from flatbuffers.table import Table

from pose_rig.assets.mediapipe_task import ALIGNMENT_BYTES, MEMBERS, build_task, with_metadata

WEIGHTS = bytes(range(32))


def small_model(metadata: bool) -> bytes:
    """A Model of version 3 with one buffer, and perhaps one metadata entry."""
    builder = flatbuffers.Builder(64)
    weights = builder.CreateByteVector(WEIGHTS)
    name = builder.CreateString("min_runtime_version")
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, weights, 0)
    buffer = builder.EndObject()
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    entry = builder.EndObject()
    vectors = []
    for element in (buffer, entry):
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(element)
        vectors.append(builder.EndVector())
    builder.StartObject(8)
    builder.PrependUint32Slot(0, 3, 0)
    builder.PrependUOffsetTRelativeSlot(4, vectors[0], 0)
    if metadata:
        builder.PrependUOffsetTRelativeSlot(6, vectors[1], 0)
    builder.Finish(builder.EndObject(), b"TFL3")
    return bytes(builder.Output())


def table_at(data: bytes, field: Table, slot: int) -> Table:
    """The table an offset field of a table points to."""
    return Table(data, field.Indirect(field.Pos + field.Offset(4 + 2 * slot)))


def elements(data: bytes, parent: Table, slot: int) -> list[Table]:
    offset = parent.Offset(4 + 2 * slot)
    start, count = parent.Vector(offset), parent.VectorLen(offset)
    return [Table(data, parent.Indirect(start + 4 * i)) for i in range(count)]


def content(data: bytes, parent: Table, slot: int) -> bytes:
    offset = parent.Offset(4 + 2 * slot)
    start = parent.Vector(offset)
    return data[start : start + parent.VectorLen(offset)]


@pytest.mark.parametrize("metadata", [False, True])
def test_the_model_is_unchanged_behind_a_new_root(metadata: bool) -> None:
    old = small_model(metadata)
    new = with_metadata(old, 127.5, 127.5)
    assert new.endswith(old)
    assert (len(new) - len(old)) % ALIGNMENT_BYTES == 0
    assert new[4:8] == b"TFL3"
    root = Table(new, struct.unpack_from("<I", new)[0])
    assert struct.unpack_from("<I", new, root.Pos + root.Offset(4))[0] == 3
    first, added = elements(new, root, 4)
    assert content(new, first, 0) == WEIGHTS
    entry = elements(new, root, 6)[-1]
    assert len(elements(new, root, 6)) == 1 + metadata
    assert entry.String(entry.Pos + entry.Offset(4)) == b"TFLITE_METADATA"
    assert struct.unpack_from("<I", new, entry.Pos + entry.Offset(6))[0] == 1  # the buffer just added
    assert content(new, added, 0)[4:8] == b"M001"


def test_the_metadata_has_rgb_and_the_normalization() -> None:
    new = with_metadata(small_model(False), 10.0, 255.0)
    root = Table(new, struct.unpack_from("<I", new)[0])
    data = content(new, elements(new, root, 4)[-1], 0)
    model = Table(data, struct.unpack_from("<I", data)[0])
    tensor = elements(data, elements(data, model, 3)[0], 2)[0]
    image = table_at(data, table_at(data, tensor, 3), 1)
    assert data[image.Pos + image.Offset(4)] == 1  # RGB
    options = table_at(data, elements(data, tensor, 4)[0], 1)
    values = [struct.unpack_from("<f", data, options.Vector(options.Offset(4 + 2 * slot)))[0] for slot in (0, 1)]
    assert values == [10.0, 255.0]


def test_a_task_is_a_deterministic_uncompressed_zip_with_aligned_members() -> None:
    model = small_model(False)
    task = build_task(model, model)
    assert task == build_task(model, model)
    with zipfile.ZipFile(io.BytesIO(task)) as archive:
        assert archive.namelist() == list(MEMBERS)
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED
            assert archive.read(info).endswith(model)
            assert task.index(archive.read(info), info.header_offset) % ALIGNMENT_BYTES == 0
