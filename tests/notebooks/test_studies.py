"""The study cards: of one form, and with no number that the texts do not have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mskseg_studies.claims.statements import load_claims

ROOT = Path(__file__).parents[2]
CARDS = sorted((ROOT / "notebooks" / "studies").glob("*.md"))
STUDIES = ROOT.parent / "shared" / "studies"
# Numbers of texts that are not beside the checkout: stored web pages with an abstract, a README.
READ_ELSEWHERE = {
    "hoyer_2025": {"48"},
    "ravi_2024": {"2.1", "38.9", "91.2", "76.5", "224.4", "39.5", "79.5", "100", "2024"},
}
PARTS = ["Question", "Data", "Method", "Result", "What to doubt", "Here"]


def test_there_is_a_card_for_every_study():
    assert {card.stem for card in CARDS} == set(load_claims().studies)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_a_card_has_its_parts_and_fits_a_page(card: Path):
    text = card.read_text(encoding="utf-8")
    assert re.findall(r"(?m)^## (.+)$", text) == PARTS
    assert len(text.split()) < 480
    assert "doi:10." in text.split("## ")[0]


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_a_card_has_no_number_that_the_texts_do_not_have(card: Path):
    if not STUDIES.is_dir():
        pytest.skip("no texts of the studies beside the checkout")
    texts = "\n".join(path.read_text(encoding="utf-8") for path in STUDIES.glob("*.txt"))
    told = card.read_text(encoding="utf-8").split("## Question")[1].split("## Here")[0]
    derived = {"0.79", "0.88", "0.54", "0.003"}  # roundings of 0.7923..., 0.886 less 0.883
    known = derived | READ_ELSEWHERE.get(card.stem, set())
    for number in set(re.findall(r"\d[\d.,]*\d", told)) - known:
        assert number in texts, number
