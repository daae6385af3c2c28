import os
from pathlib import Path

from reelflow.source import BytesSource, open_file
from reelflow.source_stream import SourceStream, as_stream


def test_a_source_can_be_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"bytes")
    with open_file(path) as source:
        stream = SourceStream(source)
        assert stream.read(2) == b"by"
        assert (stream.seek(-1, os.SEEK_END), stream.read(), stream.read()) == (4, b"s", b"")
        assert (stream.seek(-3, os.SEEK_CUR), stream.read(1)) == (2, b"t")


def test_a_stream_reads_in_large_blocks() -> None:
    class Counted(BytesSource):
        reads = 0

        def read_at(self, offset: int, count: int) -> bytes:
            self.reads += 1
            return super().read_at(offset, count)

    source = Counted(bytes(600_000))
    stream = as_stream(source)
    assert sum(len(stream.read(1000)) for _ in range(600)) == 600_000
    assert source.reads <= 4
