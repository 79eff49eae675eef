"""The bit error rate that a link was proved to have, from the errors in so many bits. Pure.

Errors are counted in n bits; were the rate p, they would be Poisson with mean n p. The upper bound at confidence C
after k errors is mu / n with `sum over i <= k of exp(-mu) mu^i / i! = 1 - C`; without errors that is `-ln(1 - C) / n`,
at 95 % 3.00 / n, the "rule of three" (Clopper and Pearson 1934, in the limit of rare events). So proving a limit L at a
rate R takes t = -ln(1 - C) / (L R): 1e-15 at 400 Gb/s takes 7 490 s, the 125 min of NVIDIA's bring-up instructions.

What is counted at a port are frames with errors, and a frame has at least one wrong bit: of few errors the count is
right, of bursts it is low. Bits before error correction (FEC) are not in standard MIBs, so this is the rate after it.
The confidence is that of each port alone; of n ports that are all at the limit n (1 - C) would pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = 200


def _at_most(errors: int, mean: float) -> float:
    """Probability of at most so many errors."""
    term = total = math.exp(-mean)
    for i in range(1, errors + 1):
        term *= mean / i
        total += term
    return min(1.0, total)


def _mean_where(errors: int, probability: float) -> float:
    """The mean at which at most `errors` have this probability: it falls with the mean."""
    low, high = 0.0, 10.0 + 2.0 * errors + 10.0 * math.sqrt(errors + 1.0)
    while _at_most(errors, high) > probability:
        high *= 2.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _at_most(errors, middle) > probability else (low, middle)
    return 0.5 * (low + high)


def most_errors(errors: int, confidence: float) -> float:
    """The mean that is not exceeded, at a confidence (0 to 1), when so many errors were seen."""
    if errors > MANY:
        spread = math.sqrt(errors) * _normal(confidence)
        return errors + spread + 1.0
    return -math.log1p(-confidence) if errors == 0 else _mean_where(errors, 1.0 - confidence)


def least_errors(errors: int, confidence: float) -> float:
    """The mean that is exceeded, at a confidence (0 to 1), when so many errors were seen."""
    if errors > MANY:
        return max(0.0, errors - math.sqrt(errors) * _normal(confidence))
    return 0.0 if errors == 0 else _mean_where(errors - 1, confidence)


MANY = 500
"""From here on Poisson is normal well within what matters."""


def _normal(confidence: float) -> float:
    """The one-sided quantile of the normal distribution, by bisection of erf."""
    low, high = -8.0, 8.0
    for _ in range(_STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if 0.5 * (1.0 + math.erf(middle / math.sqrt(2.0))) < confidence else (low, middle)
    return 0.5 * (low + high)


def bits_needed(limit: float, confidence: float, errors: int = 0) -> float:
    """How many bits prove a limit when so many errors were in them."""
    return most_errors(errors, confidence) / limit


def seconds_needed(limit: float, confidence: float, rate: float) -> float:
    """How long a link at a rate [bit/s] must run without an error to prove a limit."""
    return bits_needed(limit, confidence) / rate


@dataclass(frozen=True, slots=True)
class Proved:
    """What was proved of a rate."""

    most: float
    """Upper bound; infinite without a bit."""
    least: float
    """Lower bound."""
    is_within: bool
    """Whether the limit was proved to be kept."""
    is_beyond: bool
    """Whether it was proved to be broken."""
    missing: float
    """Bits that are still needed, without a further error; 0 where it is decided."""


def proved(errors: int, bits: float, limit: float, confidence: float) -> Proved:
    """Whether so many errors in so many bits prove that a limit is kept, or broken; or nothing yet."""
    if bits <= 0:
        return Proved(math.inf, 0.0, is_within=False, is_beyond=False, missing=bits_needed(limit, confidence))
    most, least = most_errors(errors, confidence) / bits, least_errors(errors, confidence) / bits
    is_within, is_beyond = most <= limit, least > limit
    missing = 0.0 if is_within or is_beyond else bits_needed(limit, confidence, errors) - bits
    return Proved(most, least, is_within=is_within, is_beyond=is_beyond, missing=missing)
