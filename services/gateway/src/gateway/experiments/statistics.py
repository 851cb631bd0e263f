"""Statistics that stay valid however often somebody looks: confidence sequences and a sequential test of the split.

In: sums over the units of an arm, as the sink works them out. Out: estimates with intervals and p-values. Pure
Python, of the standard library only.

Sources:
    W  Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
       sequences", Annals of Statistics 52 (2024): Robbins' normal mixture with an estimated variance, its tuning, and
       the form for variances that change, in which the accumulated variance is the clock.
    H  Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979).
    L  Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022.
"""

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final

ALPHA: Final = 0.05  # an interval misses the truth, at whatever time and ever, with at most this probability
SPLIT_ALPHA: Final = 0.01  # the same of the alarm that units are not split as configured

# Units that clicked or bought at which an interval is narrowest for its data; a hundred times as many cost little.
TUNED_FOR_OUTCOMES: Final = 1_000
# Of the Dirichlet prior: tuned for arms of one half that are off by about 0.5/√1000 = 0.016.
SPLIT_CONCENTRATION: Final = 1_000
_TUNED_TIME: Final = -2 * math.log(ALPHA) + math.log(1 - 2 * math.log(ALPHA))  # tρ² at the narrowest point: W
_RHO_SQUARED: Final = _TUNED_TIME / TUNED_FOR_OUTCOMES


@dataclass(frozen=True, slots=True)
class Sample:
    """One arm: sums over its units of what is observed of each unit."""

    units: int
    outcomes: float  # units of which something but zero was observed
    total: float  # Σx
    squares: float  # Σx²

    @classmethod
    def of_counts(cls, outcomes: float, *, units: int) -> "Sample":
        """Of each unit a zero or a one."""
        return cls(units=units, outcomes=outcomes, total=outcomes, squares=outcomes)

    @property
    def mean(self) -> float:
        return self.total / self.units if self.units else 0.0

    @property
    def variance(self) -> float:
        return max(0.0, self.squares / self.units - self.mean**2) if self.units else 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its always-valid 1 − ALPHA interval, and the always-valid p-value of its being zero."""

    value: float
    low: float  # −∞: the data do not bound it yet
    high: float
    p_value: float


def mean(sample: Sample) -> Estimate:
    """The mean per unit of one arm."""
    variance, units = sample.variance, max(sample.units, 1)
    time = units * variance / _square_of_outcome(sample)
    return _estimate(sample.mean, standard_error=math.sqrt(variance / units), time=time)


def difference(treatment: Sample, control: Sample) -> Estimate:
    """The mean per unit of the treatment arm minus that of the control.

    The arms' units come in a fixed ratio, so that n²·(variance of the difference) is the variance that the sum of the
    differences has accumulated. Up to that ratio it is (n_control·σ²_treatment + n_treatment·σ²_control): W's clock.

    As σ² of an arm counts its own or that of both together, whichever is larger. Money has a heavy tail: a small arm
    that has not seen a large order yet would otherwise look both poorer and surer of it than it is.
    """
    value = treatment.mean - control.mean
    if not treatment.units or not control.units:
        return _estimate(value, standard_error=0.0, time=0.0)
    pairs = zip(astuple(treatment), astuple(control), strict=True)
    together = Sample(*(one + other for one, other in pairs))
    of_treatment = max(treatment.variance, together.variance)
    of_control = max(control.variance, together.variance)
    accumulated = control.units * of_treatment + treatment.units * of_control
    return _estimate(
        value,
        standard_error=math.sqrt(of_treatment / treatment.units + of_control / control.units),
        time=accumulated / _square_of_outcome(together),
    )


def log_evidence(z: float, *, time: float) -> float:
    """log of the normal mixture against a mean of zero: ρ²S²/(2(ρ²V + 1)) − log √(ρ²V + 1) with S² = z²V.

    A martingale from 1 where the mean is zero, so that it ever reaches 1/α with probability α at most (Ville; W).
    """
    scaled = _RHO_SQUARED * time
    return z * z * scaled / (2 * (1 + scaled)) - math.log1p(scaled) / 2


def multiplier(time: float) -> float:
    """How many standard errors the interval reaches to each side: the z at which `log_evidence` is log(1/ALPHA).

    √(2(tρ²+1)/(t²ρ²)·log(√(tρ²+1)/α)) of W, for observations of variance 1 and divided by their standard error 1/√t.
    """
    scaled = _RHO_SQUARED * time
    return math.sqrt((1 + 1 / scaled) * (math.log1p(scaled) - 2 * math.log(ALPHA)))


def log_split_evidence(counts: Sequence[int], shares: Sequence[float]) -> float:
    """log of the Bayes factor against counts that are drawn with these shares (any positive multiple of them).

    Γ(Σa)/Γ(Σa+n) · Π Γ(a_i+n_i)/Γ(a_i) / Π θ_i^n_i with a = SPLIT_CONCENTRATION·θ (L). It ever reaches 1/α with
    probability α at most where the shares are right.
    """
    whole = math.fsum(shares)
    evidence = math.lgamma(SPLIT_CONCENTRATION) - math.lgamma(SPLIT_CONCENTRATION + sum(counts))
    for count, share in zip(counts, shares, strict=True):
        prior = SPLIT_CONCENTRATION * share / whole
        evidence += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share / whole)
    return evidence


def p_value(log_evidence: float) -> float:
    """Always-valid p-value of the evidence reached so far: 1 over it."""
    return math.exp(-max(0.0, log_evidence))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number (H): a false one is ever at ALPHA or below with probability ALPHA at most.

    Whoever rejects a true hypothesis has rejected a first true one, whose p-value was at most ALPHA over the number of
    true ones; the p-values are always-valid, so that this bound too holds at all times at once.
    """
    adjusted, least = list(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = least
    return adjusted


def _square_of_outcome(sample: Sample) -> float:
    """Mean x² over the units with an outcome, by which accumulated variance becomes a number of outcomes. 1 for counts.

    So one tuning fits clicks and any currency. It is a constant but for chance, whatever the rate of outcomes does.
    """
    return sample.squares / sample.outcomes if sample.squares > 0 and sample.outcomes > 0 else 1.0


def _estimate(value: float, *, standard_error: float, time: float) -> Estimate:
    if time <= 0 or standard_error <= 0:  # no outcome, or only equal ones: nothing is known of the variance
        return Estimate(value=value, low=-math.inf, high=math.inf, p_value=1.0)
    reach = multiplier(time) * standard_error
    evidence = log_evidence(value / standard_error, time=time)
    return Estimate(value=value, low=value - reach, high=value + reach, p_value=p_value(evidence))
