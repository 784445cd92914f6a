"""The text of the heart-failure model's card."""

from trainer.model_card import Prose

PREDICTION = """\
The probability that a patient with heart failure dies before the end of the follow-up.
`probabilities` holds the probability of `0` (survived the follow-up) and of `1` (died during it); `label` is `1` \
where the latter is over the threshold of 0.5."""

DATA = """\
Heart Failure Clinical Records: the medical records of 299 patients, 105 women and 194 men aged 40 to 95, from \
the Faisalabad Institute of Cardiology and the Allied Hospital in Faisalabad (Punjab, Pakistan), April to December \
2015. All of them had left ventricular systolic dysfunction and earlier heart failure of NYHA class III or IV. \
96 of them (32 %) died during a follow-up of 4 to 285 days.

Davide Chicco and Giuseppe Jurman (2020): *Machine learning can predict survival of patients with heart failure \
from serum creatinine and ejection fraction alone.* BMC Medical Informatics and Decision Making 20, 16. \
<https://doi.org/10.1186/s12911-020-1023-5>"""

OTHER_DATA = """

**This version was trained on a file whose values are not those of the published table described above.**"""

USE_AND_LIMITS = """\
Meant for demonstrating and testing a prediction service, and for teaching. **Not a medical device**: no decision \
about a patient may rest on it.

- 299 patients of two hospitals in one city in one year: nothing is known about its quality elsewhere. The metrics \
below come from the same patients; there is no external validation.
- Tree models do not extrapolate: outside the ranges below (the example, aged 25, is one) the answer is that of the \
nearest range seen.
- The follow-up differed from patient to patient, so the probability is not a risk over a fixed period.
- The column `time`, the length of the follow-up, is deliberately not used: it ends with the death it would predict, \
and nobody knows it when the question is asked.
- Always answering `0` would be right for 68 % of these patients; read the accuracy against that.
- No value is missing in the data: the answer for a missing value is defined, but has never been evaluated.
- The source counts platelets per millilitre; its numbers are of the size that laboratories report per microlitre.
- `sex` is an input: the same findings can give a man and a woman different probabilities."""

SEARCH = """\
The parameters used are not taken from the search: the probabilities which this model has to reproduce are published, \
and they fix its parameters. The search says what that costs."""


def prose(*, published_table: bool) -> Prose:
    """The text for a model trained on the published table, or on another one."""
    return Prose(
        title="Heart failure: death during follow-up",
        prediction=PREDICTION,
        data=DATA if published_table else DATA + OTHER_DATA,
        use_and_limits=USE_AND_LIMITS,
        missing_values="`null` is a missing value, which every split sends one fixed way.",
        search=SEARCH,
    )
