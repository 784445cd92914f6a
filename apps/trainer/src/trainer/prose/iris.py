"""The text of the iris model's card."""

from trainer.model_card import Prose

PROSE = Prose(
    title="Iris: the species of a flower",
    prediction="""\
The species of an iris: *Iris setosa*, *Iris versicolor* or *Iris virginica*.
`label` is the most probable one, `probabilities` holds those of `setosa`, `versicolor` and `virginica`; the highest \
of them is the confidence in the label.""",
    data="""\
Iris, as scikit-learn ships it: 50 flowers of each of three species, measured by Edgar Anderson. It is the table of \
Fisher's paper; the copy at UCI has two wrong rows.

Ronald A. Fisher (1936): *The use of multiple measurements in taxonomic problems.* Annals of Eugenics 7 (2), 179-188. \
<https://doi.org/10.1111/j.1469-1809.1936.tb02137.x>""",
    use_and_limits="""\
Meant for demonstrating and testing a prediction service, and for teaching.

- There are hundreds of species of iris. Any flower at all, and anything else of four lengths, is answered with one \
of three.
- Far from the flowers it has seen the model is as good as certain: a high confidence does not say that such a flower \
exists.
- `setosa` is separable from the others by its petals alone; nearly all of the error is between the other two.
- The metrics are slightly optimistic: the flowers that chose `C` are the ones they are measured on, in other folds.""",
    missing_values="None may be `null`: all of the flowers were measured, and the model cannot answer without.",
)
