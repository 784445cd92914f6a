"""The text of the house-price model's card."""

from trainer.model_card import Prose

PREDICTION = """\
The median value of the owner-occupied homes in a district of California, in dollars of 1990.
`prediction` holds it. The graph takes raw values: it fills in what is missing, scales the numbers and encodes the \
category itself."""

DATA = """\
California Housing: the 20 640 block groups ("districts", most of them of 600 to 3 000 people) of the census of 1990. \
`total_bedrooms` is missing in 207 of them, and each lies in one of five places relative to the ocean; Aurélien Géron \
added both to the original for his book, removing the bedrooms at random.

R. Kelley Pace and Ronald Barry (1997): *Sparse Spatial Autoregressions.* Statistics & Probability Letters 33 (3), \
291-297. <https://doi.org/10.1016/S0167-7152(96)00140-X>"""

OTHER_DATA = """

**This version was trained on a file other than the published one described above.**"""

USE_AND_LIMITS = """\
Meant for demonstrating and testing a prediction service, and for teaching; no price of today follows from it.

- A linear model of ten-odd terms: it sees no interaction, so that an unusual district can get a price below zero or \
far over the highest one in the data. Nothing is cut off.
- The data stop at 500 001 dollars, at 52 years and at an income of 15 (150 000 dollars): in 965 districts the value \
to learn is that limit, not a price.
- The folds of the metrics are drawn at random, so that a held-out district has its neighbours in the training data; \
a region without data would be predicted worse.
- Only 5 districts are on an island; what is learnt about them is hardly more than their own average.
- `alpha` is scikit-learn's default. With 20 640 rows and 13 terms it hardly matters: with 0.01 or 10 the error \
changes by less than a tenth of a percent."""

MISSING_VALUES = """\
Only `total_bedrooms` may be `null`, a missing value: the training data lack it in places, and the model then takes \
their median. The graph would fill in any other number too, but a district without a place, people or income is a \
mistake, and how wrong such an answer is was never measured. To the graph, a category it does not know is none of the \
five."""


def prose(*, published_file: bool, difference: float) -> Prose:
    """The text for a model trained on the published file, or on another one.

    `difference`: the largest difference between ONNX Runtime and scikit-learn on the training data, in dollars.
    """
    return Prose(
        title="California housing: the value of homes in a district",
        prediction=PREDICTION,
        data=DATA if published_file else DATA + OTHER_DATA,
        use_and_limits=USE_AND_LIMITS,
        missing_values=MISSING_VALUES,
        tolerance=f"""\
On the rows of the training data ONNX Runtime and scikit-learn differ by less than {difference:g} dollars. The graph \
computes in float32, whose steps near a longitude of -122 are 0.000008 degrees: at 26 000 dollars a degree, rounding \
the longitude and its mean already makes up to a tenth of a dollar each. Batches of different sizes may add in \
different orders, which moved a price by an eighth of a dollar at most.""",
    )
