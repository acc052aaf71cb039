"""Building a MediaPipe ``.task`` file from bare TFLite models.

A ``.task`` is an uncompressed zip of two TFLite models with metadata on the normalization of their input image. The
models in MediaPipe's wheel lack that metadata. FlatBuffers offsets may point any distance forward, so a new root table
with one more buffer is written *in front of* the unchanged model.

Table layouts: tensorflow/lite/schema/schema.fbs (Model, Buffer, Metadata) and metadata_schema.fbs (the rest).
"""

import io
import struct
import zipfile

import flatbuffers
from flatbuffers import encode, number_types
from flatbuffers.table import Table

MEMBERS = ("pose_detector.tflite", "pose_landmarks_detector.tflite")
# (mean, standard deviation) of the input: the range is −1…1 for the detector, 0…1 for the landmark model.
NORMALIZATION = {MEMBERS[0]: (127.5, 127.5), MEMBERS[1]: (0.0, 255.0)}

ALIGNMENT_BYTES = 16  # of a TFLite buffer
ZIP_HEADER_BYTES = 30  # local header without name and extra field
ZIP_ALIGNMENT_FIELD = 0xD935  # the extra field that Android's zipalign writes

_MODEL_FIELDS = 8  # Model: version, operator_codes, subgraphs, description, buffers, metadata_buffer, metadata, sigs
_BUFFERS, _METADATA = 4, 6
_IMAGE_PROPERTIES, _NORMALIZATION_OPTIONS, _RGB = 2, 1, 1
_NAME = b"TFLITE_METADATA"


def build_task(detector: bytes, landmarks: bytes) -> bytes:
    """Returns a pose landmarker ``.task`` from the bytes of its two TFLite models; deterministic."""
    task = io.BytesIO()
    with zipfile.ZipFile(task, "w", zipfile.ZIP_STORED) as archive:
        for member, model in zip(MEMBERS, (detector, landmarks), strict=True):
            info = zipfile.ZipInfo(member)
            info.create_system = 3  # Unix, on every system
            info.extra = _padding(task.tell() + ZIP_HEADER_BYTES + len(member))
            archive.writestr(info, with_metadata(model, *NORMALIZATION[member]))
    return task.getvalue()


def _padding(position: int) -> bytes:
    """Returns a zip extra field that aligns the data after it, so that MediaPipe can map it without a copy."""
    spare = -(position + 4) % ALIGNMENT_BYTES
    return struct.pack("<HH", ZIP_ALIGNMENT_FIELD, spare) + bytes(spare)


def with_metadata(model: bytes, mean: float, std: float) -> bytes:
    """Returns a TFLite model with metadata: its input is an RGB image, normalized as (value − mean) / std."""
    root = Table(model, encode.Get(number_types.UOffsetTFlags.packer_type, model, 0))
    old = [_target(root, field) for field in range(_MODEL_FIELDS)]
    metadata = _image_metadata(mean, std)
    buffers, entries = _elements(root, old[_BUFFERS]), _elements(root, old[_METADATA])

    table = 28  # after root offset, identifier, and a vtable of 20 bytes
    buffers_at = table + 4 + 4 * _MODEL_FIELDS
    entries_at = buffers_at + 4 * (len(buffers) + 2)
    buffer_at = entries_at + 4 * (len(entries) + 2) + 8
    entry_at = buffer_at + 8 + 8
    name_at = entry_at + 12
    data_at = _aligned(name_at + 4 + len(_NAME) + 1 + 4, ALIGNMENT_BYTES) - 4
    length = _aligned(data_at + 4 + len(metadata), ALIGNMENT_BYTES)

    front = bytearray(length)
    struct.pack_into("<I4s", front, 0, table, b"TFL3")
    present = [4 + 4 * field if at or field in (0, _BUFFERS, _METADATA) else 0 for field, at in enumerate(old)]
    struct.pack_into("<10Hi", front, 8, 20, 4 + 4 * _MODEL_FIELDS, *present, table - 8)
    for field, at in enumerate(old):
        where = table + 4 + 4 * field
        target = {_BUFFERS: buffers_at, _METADATA: entries_at}.get(field, at + length)
        struct.pack_into("<I", front, where, target - where if at or field == _METADATA else 0)
    struct.pack_into("<I", front, table + 4, _version(root))
    _pack_vector(front, buffers_at, [*(at + length for at in buffers), buffer_at])
    _pack_vector(front, entries_at, [*(at + length for at in entries), entry_at])
    struct.pack_into("<4HiI", front, buffer_at - 8, 6, 8, 4, 0, 8, data_at - buffer_at - 4)
    struct.pack_into("<4HiII", front, entry_at - 8, 8, 12, 4, 8, 8, name_at - entry_at - 4, len(buffers))
    struct.pack_into(f"<I{len(_NAME)}s", front, name_at, len(_NAME), _NAME)
    struct.pack_into(f"<I{len(metadata)}s", front, data_at, len(metadata), metadata)
    return bytes(front) + model


def _aligned(position: int, step: int) -> int:
    return -(-position // step) * step


def _pack_vector(front: bytearray, at: int, targets: list[int]) -> None:
    """Writes a vector of offsets to absolute positions."""
    struct.pack_into("<I", front, at, len(targets))
    for i, target in enumerate(targets):
        where = at + 4 + 4 * i
        struct.pack_into("<I", front, where, target - where)


def _version(root: Table) -> int:
    return int(root.Get(number_types.Uint32Flags, root.Pos + root.Offset(4)))


def _target(table: Table, field: int) -> int:
    """Returns the absolute position a field points to, 0 if it is absent."""
    offset = table.Offset(4 + 2 * field)
    return int(table.Indirect(table.Pos + offset)) if offset else 0


def _elements(table: Table, vector: int) -> list[int]:
    """Returns the absolute positions of the tables in a vector."""
    if not vector:
        return []
    count = int(table.Get(number_types.UOffsetTFlags, vector))
    return [int(table.Indirect(vector + 4 + 4 * i)) for i in range(count)]


def _image_metadata(mean: float, std: float) -> bytes:
    """Returns a ModelMetadata buffer for one RGB input image."""
    builder = flatbuffers.Builder(256)

    def floats(value: float) -> int:
        builder.StartVector(4, 1, 4)
        builder.PrependFloat32(value)
        return int(builder.EndVector())

    def table(fields: int, **slots: int) -> int:
        """Returns a table; ``o3`` = an offset in slot 3, ``b0`` = a byte in slot 0."""
        builder.StartObject(fields)
        for key, value in slots.items():
            slot = int(key[1:])
            if key[0] == "o":
                builder.PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                builder.PrependUint8Slot(slot, value, 0)
        return int(builder.EndObject())

    def vector(element: int) -> int:
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(element)
        return int(builder.EndVector())

    means, stds = floats(mean), floats(std)
    normalization = table(2, o0=means, o1=stds)
    unit = vector(table(2, b0=_NORMALIZATION_OPTIONS, o1=normalization))  # ProcessUnit
    image = table(2, b0=_RGB)  # ImageProperties
    content = table(3, b0=_IMAGE_PROPERTIES, o1=image)
    tensors = vector(table(7, o3=content, o4=unit))  # TensorMetadata
    subgraphs = vector(table(10, o2=tensors))  # SubGraphMetadata
    builder.Finish(table(8, o3=subgraphs), b"M001")  # ModelMetadata
    return bytes(builder.Output())
