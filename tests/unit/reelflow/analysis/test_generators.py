"""Each known generator's mark is told from what anybody may write into the same field."""

import json

import pytest

from reelflow.analysis.generators import find_generators

PARAMETERS = (
    "a birth\nNegative prompt: photo\nSteps: 25, Sampler: DPM++ 2M SDE, Schedule type: Exponential,"
    " CFG scale: 7, Seed: 12345, Size: 1024x1024"
)
NODES = json.dumps({"3": {"class_type": "KSampler", "inputs": {}}})
WORKFLOW = json.dumps({"nodes": [], "links": []})


@pytest.mark.parametrize(
    ("name", "value", "generator"),
    [
        ("prompt", NODES, "ComfyUI"),
        ("workflow", WORKFLOW, "ComfyUI"),
        ("PROMPT", NODES, "ComfyUI"),
        ("Make", f"Workflow:{WORKFLOW}", "ComfyUI"),
        ("parameters", PARAMETERS, "Stable Diffusion web UI"),
        ("UserComment", PARAMETERS, "Stable Diffusion web UI"),
        ("invokeai_metadata", '{"seed": 1}', "InvokeAI"),
        ("fooocus_scheme", "fooocus", "Fooocus"),
        ("Software", "NovelAI", "NovelAI"),
        ("AIGC", '{"Label": "1"}', "a generator that labels its files by GB 45438-2025"),
    ],
)
def test_a_mark_names_its_generator_and_where_it_is_documented(
    name: str, value: str, generator: str
) -> None:
    found = find_generators([("Comment", "x"), (name, value)])
    assert list(found) == [generator]
    assert found[generator]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt", "press any key"),
        ("prompt", '{"a": "b"}'),
        ("prompt", "{" * 5000),
        ("workflow", "[]"),
        ("workflow", '{"nodes": 1}'),
        ("parameters", "Steps: many"),
        ("Description", PARAMETERS),
        ("invokeai_metadata", "{}"),
        ("Software", "NovelAI Diffusion viewer"),
        ("Software", "Adobe Photoshop 26.0"),
        ("AIGC", '{"Label": "3"}'),
        ("AIGC", "1"),
    ],
)
def test_what_anybody_may_write_is_no_mark(name: str, value: str) -> None:
    assert find_generators([(name, value)]) == {}
