"""What Schemathesis cannot know: which names exist, and which users to spare, so that calls stay meaningful."""

import atexit
import collections
import itertools
import os

import schemathesis

SPARED = set(os.environ["FUZZ_SPARED"].split(","))
VICTIMS = itertools.cycle(os.environ["FUZZ_VICTIMS"].split(","))
MODELS = itertools.cycle(["heart-failure", "iris", "california-housing"])
ALIASES = itertools.cycle(["production", "shadow", "canary", "fuzz"])
TURNS = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    turn = next(TURNS)
    # The same few keys come again and again, and most calls would only learn that their key belongs to another request.
    if case.headers and turn % 8 != 0:
        case.headers.pop("Idempotency-Key", None)
    parameters = case.path_parameters
    if not parameters:
        return
    # Every other call goes to something that exists; the others mostly to nothing.
    if turn % 2 == 0:
        models = itertools.repeat("heart-failure") if case.method.upper() == "POST" else MODELS
        there = {"user_id": VICTIMS, "name": models, "alias": ALIASES, "version": itertools.repeat("1")}
        for name, values in there.items():
            if name in parameters:
                parameters[name] = next(values)
    # The calling user must stay unchanged, and the default model must stay.
    if str(parameters.get("user_id", "")).strip() in SPARED:
        parameters["user_id"] = "0"
    if case.method.upper() == "DELETE" and str(parameters.get("alias", "")).lower() == "production":
        parameters["alias"] = "fuzz"


SEEN = collections.defaultdict(collections.Counter)


@schemathesis.hook
def after_call(context, case, response):
    SEEN[f"{case.method} {case.path}"][response.status_code] += 1


@atexit.register
def tell_what_was_seen():
    for operation, statuses in sorted(SEEN.items()):
        print(f"{operation}: " + ", ".join(f"{status} {count}x" for status, count in sorted(statuses.items())))
