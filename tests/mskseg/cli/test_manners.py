"""Manners of the command line: what it says before it works, and what it suggests."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from mskseg.cli.inputs import load_model
from mskseg.cli.main import build_parser, main


def parsers(parser: argparse.ArgumentParser, name: str = "mskseg") -> Iterator[tuple]:
    yield name, parser
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for word, below in action.choices.items():
                yield from parsers(below, f"{name} {word}")


PARSERS = dict(parsers(build_parser()))


def test_alone_it_shows_every_command_with_an_example(capsys):
    assert main([]) == 0
    printed = capsys.readouterr().out
    for name in PARSERS:
        command = " ".join(name.split()[:2])
        assert f"\n  {command} " in printed or f"\n  {command}\n" in printed or command == "mskseg"


@pytest.mark.parametrize("name", PARSERS)
def test_every_help_has_an_example_and_its_defaults(name):
    text = " ".join(PARSERS[name].format_help().split())
    assert "Example" in text
    for action in PARSERS[name]._actions:
        shown = action.default not in (None, False, argparse.SUPPRESS) and action.help
        assert (
            not shown or "default" in (action.help or "") or f"(default: {action.default})" in text
        )


def test_the_defaults_that_help_states_are_those_of_the_configuration():
    from mskseg.finetuning import FineTuneConfig

    text = " ".join(PARSERS["mskseg finetune"].format_help().split())
    config = FineTuneConfig()
    for name in ("epochs", "patience", "slices_per_step", "prompts_per_slice", "jitter_px",
                 "slice_step", "seed"):  # fmt: skip
        said = text.partition(f" --{name.replace('_', '-')} N ")[2].partition(" --")[0]
        assert f"default: {getattr(config, name):g})" in said
    assert config.learning_rate == 1e-4


def test_run_alone_says_what_it_would_do_and_does_nothing(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("mskseg.workbook.run_workbook", pytest.fail)
    monkeypatch.setattr("mskseg.cli.run.bring_real_scans", pytest.fail)
    output = tmp_path / "output"
    assert main(["run", "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "mskseg run --all" in printed
    minutes = [line.split()[1] for line in printed.splitlines() if re.match(r"\d\d_", line)]
    assert len(minutes) == 10
    assert minutes.count("<") <= 1
    assert f"{sum(int(m) for m in minutes if m != '<')} minutes" in printed
    assert not output.exists()


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["evalute", "a"], "evaluate"),
        (["evaluate", "a", "--reference", "b", "--modle", "c"], "--model"),
        (["evaluate", "a", "--reference", "b", "--plane", "axal"], "axial"),
        (["models", "fech", "c"], "fetch"),
        (["models", "fetch", "sam_vit_nini"], "sam_vit_mini"),
        (["data", "fetch", "fantom_knee"], "phantom_knee"),
        (["run", "--model", "lite_medsan"], "lite_medsam"),
        (["run", "--dataset", "phantom_thig"], "phantom_thigh"),
        (["run", "03_segment_zeroshot"], "03_segment_zero_shot"),
    ],
)
def test_a_misspelt_word_suggests_the_right_one(words, meant, capsys):
    try:
        code = main(words)
    except SystemExit as stopped:
        code = stopped.code
    out, err = capsys.readouterr()
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert f"did you mean {meant}?" in err


def test_the_library_suggests_names_too():
    import mskseg
    from mskseg.errors import InputError

    with pytest.raises(InputError, match="did you mean sam_vit_b"):
        mskseg.load_segmenter("sam_vitb")
    with pytest.raises(InputError, match="did you mean phantom_hip"):
        mskseg.load_cases("phantom_hipp")


def test_quiet_hides_the_progress(monkeypatch):
    from mskseg.cli.outputs import shows_progress

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    given = {"run": [], "evaluate": ["a", "--reference", "b"], "score": ["a", "--reference", "b"]}
    for command, words in given.items():
        parsed = build_parser().parse_args([command, *words])
        assert shows_progress(parsed)
        assert not shows_progress(build_parser().parse_args([command, *words, "--quiet"]))


def test_completion_comes_from_shtab_and_says_where_it_lacks(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "python -m pip install shtab" in capsys.readouterr().err
    fake = SimpleNamespace(complete=lambda parser, shell: f"{parser.prog} in {shell}\n")
    monkeypatch.setitem(sys.modules, "shtab", fake)
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out == "mskseg in zsh\n"


@pytest.mark.parametrize("jobs", ["0", "-1", "two", "1.5"])
def test_a_number_out_of_range_is_refused_before_anything_is_made(jobs, capsys, tmp_path):
    output = tmp_path / "output"
    with pytest.raises(SystemExit) as stopped:
        main(["run", "01", f"--jobs={jobs}", "--output", str(output)])
    assert stopped.value.code == 2
    assert f"{jobs} is no whole number of 1 or more" in capsys.readouterr().err
    assert not output.exists()


# --- devices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_by_default_the_fastest_device_is_taken(cuda, mps, chosen, monkeypatch):
    import inspect

    import torch

    import mskseg
    from mskseg.models.segmenter import Segmenter, available_device

    for name in ("evaluate", "segment", "finetune"):
        device = next(each for each in PARSERS[f"mskseg {name}"]._actions if each.dest == "device")
        assert device.default == "auto"
    for call in (mskseg.load_segmenter, Segmenter):
        assert inspect.signature(call).parameters["device"].default == "auto"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    monkeypatch.setattr(torch, "zeros", lambda *_size, device: SimpleNamespace(item=lambda: 0.0))
    assert available_device("auto").type == chosen


@pytest.mark.parametrize("words", ["evaluate a --reference b", "segment a --box 1 -o m.nii"])
def test_a_model_computes_in_the_precision_that_is_asked_for(words):
    for more, expected in (((), "float32"), (("--precision", "bfloat16"), "bfloat16")):
        assert load_model(build_parser().parse_args([*words.split(), *more])).precision == expected


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            NotImplementedError("The operator 'aten::foo' is not currently implemented for the "
                                "MPS device. If you want this op, comment on ..."),
            "the device lacks something (The operator 'aten::foo' is not currently implemented for "
            "the MPS device); use --device cpu",
        ),
        (
            TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't "
                      "support float64. Please use float32 instead."),
            "support float64); use --device cpu",
        ),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory. Tried"),
         "not enough memory on the device; use --device cpu"),
    ],
)  # fmt: skip
def test_what_a_device_lacks_is_one_sentence(error, told, capsys, monkeypatch, tmp_path):
    def lacking(*_: object) -> None:
        raise error

    monkeypatch.setattr("mskseg.cli.many.list_scans", lacking)
    assert main(["evaluate", str(Path(tmp_path)), "--reference", "b"]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert len(err.splitlines()) == 1
