"""Which statements of the studies hold on what was computed here (notebook 09)."""

from mskseg_studies.claims.measuring import measure_table as measure_table
from mskseg_studies.claims.output_ledger import judge_output as judge_output
from mskseg_studies.claims.rules import OURS as OURS
from mskseg_studies.claims.rules import check_none_vanished as check_none_vanished
from mskseg_studies.claims.rules import judge as judge
from mskseg_studies.claims.rules import rule_in_words as rule_in_words
from mskseg_studies.claims.rules import verdict as verdict
from mskseg_studies.claims.statements import Claim as Claim
from mskseg_studies.claims.statements import Measure as Measure
from mskseg_studies.claims.statements import Rule as Rule
from mskseg_studies.claims.statements import load_claims as load_claims
from mskseg_studies.claims.views import disagreements as disagreements
from mskseg_studies.claims.views import facts_table as facts_table
from mskseg_studies.claims.views import interval_chart as interval_chart
from mskseg_studies.claims.views import ledger_table as ledger_table
from mskseg_studies.claims.views import short_table as short_table
from mskseg_studies.claims.views import text_table as text_table
from mskseg_studies.claims.views import verdict_bars as verdict_bars
from mskseg_studies.committed import committed_results as committed_results
from mskseg_studies.model_parts.parts import model_dimensions as model_dimensions
