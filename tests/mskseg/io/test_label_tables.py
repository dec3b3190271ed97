"""Names of labels as other tools write them: random tables in each form, read back."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mskseg.case import Case
from mskseg.errors import InputError
from mskseg.io import load_label_names
from mskseg.volume import LabelMap, Volume

WORDS = st.lists(
    st.text("abcdefxyzÄłß-_", min_size=1, max_size=8).filter(lambda word: word != "-"),
    min_size=1,
    max_size=3,
).map(" ".join)
TABLES = st.dictionaries(st.integers(1, 999), WORDS, min_size=1, max_size=8)


def colours(label):
    return [label * 37 % 256, label * 91 % 256, label * 53 % 256]


def table(delimiter, header, row):
    def write(names):
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
        writer.writerows([header] if header else [])
        writer.writerows(row(k, label, name) for k, (label, name) in enumerate(names.items()))
        return out.getvalue()

    return write


def lines(first, form):
    def write(names):
        rows = [form.format(label, name, *colours(label)) for label, name in names.items()]
        return "\n".join([first, *rows, ""])

    return write


FORMS = {
    "itksnap.txt": lines("# ITK-SnAP", '  {0}  {2} {3}  {4}   0.5  1  1   "{1}"'),
    "freesurfer.txt": lines("#No. Label Name: R G B A", "{0}   {1}   {2} {3} {4} 0"),
    "three colours.txt": lines("", "{0} {1} {2} {3} {4}"),
    "colours first.txt": lines("", "{0} {2} {3} {4} 255 {1}"),
    "slicer.ctbl": lines("# Color table file\n0 Background 0 0 0 0", "{0} {1} {2} {3} {4} 255"),
    "slicer.csv": table(
        ",",
        ["LabelValue", "Name", "Color_R", "Color_G", "Color_B", "Color_A"],
        lambda _k, label, name: [label, name, *colours(label), 255],
    ),
    "dseg.tsv": table(
        "\t",
        ["index", "name", "abbreviation", "color", "mapping"],
        lambda k, label, name: [label, name, "Ab", "#0a00ff", k],
    ),
    "pandas.csv": table(",", ["", "label", "name"], lambda k, label, name: [k, label, name]),
    "pandas index.csv": table(
        ",", ["index", "label", "name"], lambda k, label, name: [k, label, name]
    ),
    "colour first.csv": table(
        ",", ["color", "label", "name"], lambda _k, label, name: ["#ff0000", label, name]
    ),
    "excel.csv": table(";", ["Wert", "Name"], lambda _k, label, name: [label, name]),
    "name first.csv": table(",", ["tissue", "value"], lambda _k, label, name: [name, label]),
    "id and label.csv": table(",", ["id", "label"], lambda _k, label, name: [label, name]),
    "tabs.txt": table("\t", None, lambda _k, label, name: [label, name]),
    "tabs and colours.txt": table(
        "\t", None, lambda _k, label, name: [label, name, *colours(label)]
    ),
    "plain.txt": lines("// mine", "{0}: {1}"),
    "dataset.json": lambda names: json.dumps(
        {"labels": {"background": 0, **{f"{n}{k}": k for k, n in names.items()}}, "file_ending": ""}
    ),
    "version 1.json": lambda names: json.dumps({"labels": {"0": "background", **names}}),
    "names.json": lambda names: json.dumps(names),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@given(names=TABLES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_form_gives_the_names_alone_and_says_which_it_is(tmp_path, form, encoding, names):
    path = tmp_path / form
    path.write_bytes(FORMS[form](names).encode(encoding))
    with pytest.warns(UserWarning, match=rf"{form}: {len(names)} labels, read as"):
        found = load_label_names(path)
    expected = {k: f"{n}{k}" for k, n in names.items()} if form == "dataset.json" else names
    assert found == expected


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.tsv", "1\tFemur\tFEM\n2\tTibia\tTIB\n", "3 columns without a header"),
        ("a.csv", "0,1,Femur\n1,2,Tibia\n", "3 columns without a header"),
        ("a.csv", "0,1\n1,2\n", "2 columns without a header"),
        ("a.csv", ",name\n0,Femur\n", "the labels; call the two columns label and name"),
        ("a.csv", "label,left,right\n1,Femur,Tibia\n", "the names; call the two columns"),
        ("a.csv", "label,name\n1,Femur,thigh\n", "line 2 is '1,Femur,thigh'"),
        ("a.txt", "1 Femur 1 2 3 4\n2 Tibia\n", "like colours in some lines and not in others"),
        ("a.txt", "1 Knöchel\n".encode("latin-1"), "byte 4 is no UTF-8; save the file as UTF-8"),
        ("a.txt", "1 Femur\n".encode("utf-16")[2:], "the character 0"),
        ("a.json", '{"1": null}', "label 1 has the name None, expected text"),
        ("a.json", '{"1": ""}', "label 1 has the name '', expected text"),
        ("a.json", r'{"1": "\ud800"}', "expected text"),
        ("a.json", '{"labels": {"knee": [1, 2]}}', "regions of several values are not supported"),
        ("a.json", '{"labels": {"knee": true}}', "names labels in a way not known"),
        ("a.csv", "label,name\n1," + "x" * 140_000, "field larger than field limit"),
        ("a.txt", f"{'9' * 5000} Femur", "too large"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.txt", b"1 x\n" * 600_000, "expected 2 MB at most"),
    ],
)
def test_what_cannot_be_told_is_refused_in_one_line(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=reason) as caught:
        load_label_names(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_voxels_that_nnunet_ignores_are_never_a_tissue(tmp_path):
    path = tmp_path / "dataset.json"
    path.write_text('{"labels": {"background": 0, "femur": [1], "ignore": 2}}')
    names = load_label_names(path)
    assert names == {1: "femur", 2: "ignore"}
    array = np.ones((4, 5, 6), np.uint8)
    image, labels = Volume(array, np.eye(4)), LabelMap(array, np.eye(4))
    assert Case("a", image, labels, tissues=names).tissue(1) == "femur"
    with pytest.raises(InputError, match="holds the label 2, 'ignore': nobody has said"):
        Case("a", image, LabelMap(2 * array, np.eye(4)), tissues=names)
