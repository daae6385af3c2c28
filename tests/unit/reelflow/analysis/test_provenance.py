"""The embedded engine on real files: what declares itself is flagged, nothing is called real."""

import contextlib
import io
import json
import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from reelflow.analysis.base import Verdict
from reelflow.analysis.provenance import NO_EVIDENCE, ProvenanceEngine
from reelflow.exceptions import AnalysisLostError, AnalysisRefusedError, ConfigurationError
from tests import content_credentials, media_files, photo_files
from tests.analysis_subjects import subject
from tests.media_files import run_ffmpeg

XMP_HEAD = b"http://ns.adobe.com/xap/1.0/\0"


def examine(content: bytes) -> Verdict:
    engine = ProvenanceEngine()
    analysis = engine.start(subject(content), model_type="provenance")
    assert engine.poll(analysis.id).is_finished
    return engine.read(analysis.id)


def evidence(content: bytes) -> list[str]:
    verdict = examine(content)
    assert verdict.is_fake is (True if verdict.details["evidence"] else None)
    told: list[str] = verdict.details["evidence"]
    return told


def jpeg_with(segment: bytes) -> bytes:
    plain = photo_files.image()
    return plain[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + plain[2:]


def xmp(properties: str) -> bytes:
    return (
        "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>"
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description "
        "xmlns:Iptc4xmpExt='http://iptc.org/std/Iptc4xmpExt/2008-02-29/' "
        "xmlns:TC260='http://www.tc260.org.cn/ns/AIGC/1.0/' rdf:about=''>"
        f"{properties}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"
    ).encode()


def iptc(term: str) -> bytes:
    value = content_credentials.IPTC + term
    return xmp(f"<Iptc4xmpExt:DigitalSourceType>{value}</Iptc4xmpExt:DigitalSourceType>")


def strip_jpeg(signed: bytes) -> bytes:
    written = io.BytesIO()
    Image.open(io.BytesIO(signed)).save(written, "JPEG")
    return written.getvalue()


def strip_mp4(signed: bytes, folder: Path) -> bytes:
    (folder / "signed.mp4").write_bytes(signed)
    run_ffmpeg("-i", str(folder / "signed.mp4"), "-c", "copy", str(folder / "stripped.mp4"))
    return (folder / "stripped.mp4").read_bytes()


def test_a_jpeg_signed_as_generated_is_flagged_and_the_same_file_stripped_gives_no_evidence() -> (
    None
):
    signed = content_credentials.sign(photo_files.image(size=(320, 240)), "image/jpeg")
    verdict = examine(signed)
    assert verdict.is_fake is True
    assert verdict.details["summary"].startswith("C2PA: created using generative AI")
    assert verdict.details["c2pa"]["validation_state"] == "Valid"
    assert verdict.details["c2pa"]["validation_codes"] == ["signingCredential.untrusted"]
    assert verdict.details["c2pa"]["signed_by"] == "Reelflow's tests"
    stripped = examine(strip_jpeg(signed))
    assert (stripped.is_fake, stripped.details["summary"]) == (None, NO_EVIDENCE)


def test_an_mp4_signed_as_generated_is_flagged_and_the_same_file_stripped_gives_no_evidence(
    tmp_path: Path,
) -> None:
    signed = content_credentials.sign(media_files.h264_mp4().read_bytes(), "video/mp4")
    assert evidence(signed) == ["C2PA: created using generative AI (trainedAlgorithmicMedia)"]
    assert examine(signed).details["c2pa"]["validation_state"] == "Valid"
    stripped = examine(strip_mp4(signed, tmp_path))
    assert (stripped.is_fake, stripped.details["summary"]) == (None, NO_EVIDENCE)


def test_a_file_signed_as_captured_is_no_evidence_and_is_not_called_real() -> None:
    captured = content_credentials.CAPTURED
    verdict = examine(
        content_credentials.sign(photo_files.image(), "image/jpeg", source_type=captured)
    )
    assert (verdict.is_fake, verdict.details["summary"]) == (None, NO_EVIDENCE)
    assert verdict.confidence is None


def test_a_declaration_whose_signature_does_not_fit_the_file_still_counts_and_is_told() -> None:
    signed = bytearray(content_credentials.sign(photo_files.image(size=(320, 240)), "image/jpeg"))
    signed[-20] ^= 1  # of the picture
    verdict = examine(bytes(signed))
    assert verdict.is_fake is True
    assert verdict.details["c2pa"]["validation_state"] == "Invalid"
    assert "assertion.dataHash.mismatch" in verdict.details["c2pa"]["validation_codes"]


def test_a_manifest_that_lies_elsewhere_is_not_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/manifest.c2pa"
        content = content_credentials.sign_elsewhere(photo_files.image(), "image/jpeg", url)
        verdict = examine(content)
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert verdict.is_fake is None
    assert verdict.details["manifest_elsewhere"] == f"not fetched: {url}"


@pytest.mark.parametrize(
    "term",
    ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"],
)
def test_iptcs_source_type_in_xmp_is_evidence(term: str) -> None:
    (told,) = evidence(jpeg_with(XMP_HEAD + iptc(term)))
    assert told.startswith("IPTC: ")
    assert told.endswith(f"({term})")


@pytest.mark.parametrize("term", ["digitalCapture", "algorithmicMedia", "algorithmicallyEnhanced"])
def test_other_source_types_are_none(term: str) -> None:
    assert evidence(jpeg_with(XMP_HEAD + iptc(term))) == []


def test_chinas_label_of_generated_media_is_evidence() -> None:
    label = "{&quot;Label&quot;:&quot;1&quot;,&quot;ContentProducer&quot;:&quot;x&quot;}"
    (told,) = evidence(jpeg_with(XMP_HEAD + xmp(f"<TC260:AIGC>{label}</TC260:AIGC>")))
    assert "GB 45438-2025" in told


def png_with(texts: dict[str, str]) -> bytes:
    info, written = PngInfo(), io.BytesIO()
    for name, value in texts.items():
        info.add_text(name, value)
    Image.new("RGB", (8, 8)).save(written, "PNG", pnginfo=info)
    return written.getvalue()


def test_the_workflow_of_a_generator_is_evidence_in_a_picture_and_in_a_video(
    tmp_path: Path,
) -> None:
    prompt = json.dumps({"3": {"class_type": "KSampler", "inputs": {}}})
    (told,) = evidence(png_with({"prompt": prompt}))
    assert told.startswith("made by ComfyUI")
    for name in ("made.mp4", "made.webm"):
        path = tmp_path / name
        source = media_files.h264_mp4() if name.endswith("mp4") else media_files.vp9_webm()
        tags = ("-metadata", f"prompt={prompt}", "-movflags", "use_metadata_tags")
        run_ffmpeg("-i", str(source), "-c", "copy", *tags, str(path))
        assert evidence(path.read_bytes()) == [told]


MAKERS: list[Callable[[], Path]] = [
    media_files.h264_mp4,
    media_files.index_last_mp4,
    media_files.portrait_mov,
    media_files.vp9_webm,
    media_files.h264_mkv,
    media_files.mpeg4_avi,
]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_what_ffmpeg_makes_gives_no_evidence(make: Callable[[], Path]) -> None:
    verdict = examine(make().read_bytes())
    assert (verdict.is_fake, verdict.details) == (None, {"summary": NO_EVIDENCE, "evidence": []})


def test_a_file_with_a_broken_manifest_gives_no_evidence_and_says_what_is_wrong() -> None:
    signed = content_credentials.sign(photo_files.image(), "image/jpeg")
    at = signed.index(b"c2pa.claim")
    verdict = examine(signed[: at - 4] + bytes(40) + signed[at + 36 :])
    assert verdict.is_fake is None
    assert verdict.details["c2pa"]["error"]


def test_damaged_credentials_end_in_a_verdict_and_never_in_more_than_the_child() -> None:
    signed = content_credentials.sign(photo_files.image(), "image/jpeg")
    start, chance = signed.index(b"jumb"), random.Random(7)
    for _ in range(20):
        damaged = bytearray(signed)
        for _ in range(chance.randint(1, 30)):
            damaged[chance.randrange(start, len(signed))] = chance.randrange(256)
        with contextlib.suppress(AnalysisRefusedError):
            assert examine(bytes(damaged)).is_fake in (True, None)


def test_an_xmp_packet_with_entities_is_not_read() -> None:
    bomb = b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]>" + iptc("trainedAlgorithmicMedia")
    verdict = examine(jpeg_with(XMP_HEAD + bomb))
    assert verdict.is_fake is None
    assert verdict.details["xmp_unread"] == ["it has a document type"]


def test_the_same_evidence_gives_the_same_verdict() -> None:
    content = jpeg_with(XMP_HEAD + iptc("trainedAlgorithmicMedia"))
    assert examine(content).id == examine(content).id
    assert examine(content).id != examine(photo_files.image()).id


def test_what_another_process_examined_is_lost() -> None:
    with pytest.raises(AnalysisLostError):
        ProvenanceEngine().poll("a1")


def test_it_has_no_models_to_choose_from() -> None:
    with pytest.raises(ConfigurationError, match="no model type 'resnet'"):
        ProvenanceEngine().start(subject(photo_files.image()), model_type="resnet")
