"""Which touch points a conversion is owed to, by seven models, free of the database.

| model | whose the credit is | source |
|---|---|---|
| `first`, `last` | the first or last touch's | Google Analytics, "About attribution models" |
| `linear` | every touch's alike | the same |
| `time_decay` | every touch's, halved for each `half_life` before the last touch | the same |
| `position` | `first` and `last` shares (40 % each), the rest for those between | the same |
| `markov` | by how many conversions would be lost without the channel | Anderl et al., IJRM 33 (2016) |
| `shapley` | by the channel's average marginal gain over all coalitions | Zhao et al., arXiv:1804.05327 (2018) |
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

Touch = tuple[str, datetime]
Credits = dict[str, float]

UNATTRIBUTED = "(none)"
"""Takes the value of conversions that no touch came before, so that credits always sum to the converted value."""

START, CONVERSION, NOTHING = 0, 1, 2
SPECIAL = 3  # states of the Markov chain that are no channel


@dataclass(frozen=True)
class Journey:
    """The touches of one person, each a channel (or whatever is to get credit) with its time, and how it ended.

    `value` is what the conversion was worth, in one unit for all journeys; without a conversion it counts nothing.
    """

    touches: Sequence[Touch]
    converted: bool = True
    value: float = 1.0


def attribute(journeys: Iterable[Journey], model: str, **options: Any) -> Credits:
    """The credit of each channel; the credits sum to the value of all conversions.

    Touches are taken in the order of their times. Options: `half_life` (timedelta, 7 days) for `time_decay`; `first`
    and `last` (shares, 0.4 each) for `position`. Raises `ValueError` for an unknown model or a wrong option, and for a
    value that is not finite.
    """
    if model not in MODELS:
        raise ValueError(f"model: must be one of {', '.join(MODELS)}")
    credit = MODELS[model](**_checked(model, options))
    return credit(_ordered(journeys))


def _checked(model: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = sorted(options.keys() - OPTIONS.get(model, {}).keys())
    if unknown:
        raise ValueError(f"{unknown[0]}: is no option of {model}")
    merged = {**OPTIONS.get(model, {}), **options}
    if "half_life" in merged and not merged["half_life"] > timedelta(0):
        raise ValueError("half_life: must be a positive timedelta")
    if model == "position" and not (min(merged.values()) >= 0 and sum(merged.values()) <= 1):
        raise ValueError("first, last: must be shares that sum to at most 1")
    return merged


def _ordered(journeys: Iterable[Journey]) -> Iterable[tuple[Sequence[Touch], float | None]]:
    """Touches by time, and the value, or None without a conversion."""
    for journey in journeys:
        if journey.converted and not math.isfinite(journey.value):
            raise ValueError("value: must be finite")
        touches = journey.touches
        if len(touches) > 1:
            touches = sorted(touches, key=itemgetter(1))
        yield touches, journey.value if journey.converted else None


Ordered = Iterable[tuple[Sequence[Touch], float | None]]
Model = Callable[[Ordered], Credits]


def _by_weights(weigh: Callable[[Sequence[Touch]], Sequence[float]]) -> Model:
    """A model that splits each conversion among its own touches, in proportion to `weigh`."""

    def credit(journeys: Ordered) -> Credits:
        shares: dict[str, float] = defaultdict(float)
        for touches, value in journeys:
            if value is None:
                continue
            if not touches:
                shares[UNATTRIBUTED] += value
                continue
            weights = weigh(touches)
            unit = value / sum(weights)
            for (channel, _), weight in zip(touches, weights, strict=True):
                shares[channel] += unit * weight
        return dict(shares)

    return credit


def _first() -> Model:
    return _by_weights(lambda touches: [1.0] + [0.0] * (len(touches) - 1))


def _last() -> Model:
    return _by_weights(lambda touches: [0.0] * (len(touches) - 1) + [1.0])


def _linear() -> Model:
    return _by_weights(lambda touches: [1.0] * len(touches))


def _time_decay(half_life: timedelta) -> Model:
    return _by_weights(lambda touches: [0.5 ** ((touches[-1][1] - at) / half_life) for _, at in touches])


def _position(first: float, last: float) -> Model:
    def weigh(touches: Sequence[Touch]) -> Sequence[float]:
        between = len(touches) - 2
        if between < 0:
            return [1.0]
        if between == 0:
            return [first, last] if first + last else [1.0, 1.0]
        return [first, *[(1 - first - last) / between] * between, last]

    return _by_weights(weigh)


def _shapley() -> Model:
    """Exact, for any number of channels: the worth of a coalition is the value of the journeys that it made alone.

    Each journey is then worth its value to every coalition that holds all of its channels, and nothing to the others (a
    unanimity game), and the Shapley value of a sum of such games splits each among its channels alike.
    """

    def credit(journeys: Ordered) -> Credits:
        shares: dict[str, float] = defaultdict(float)
        for touches, value in journeys:
            if value is None:
                continue
            channels = {channel for channel, _ in touches} or {UNATTRIBUTED}
            for channel in channels:
                shares[channel] += value / len(channels)
        return dict(shares)

    return credit


def _markov() -> Model:
    """A chain of the first order over start, channels, conversion and nothing; the removal effect of a channel is the
    share of conversions lost when every step to it leads to nothing. The whole value is split by these effects."""

    def credit(journeys: Ordered) -> Credits:
        states: dict[str, int] = {}
        steps: Counter[tuple[int, int]] = Counter()
        attributed = unattributed = 0.0
        for touches, value in journeys:
            place = START
            for channel, _ in touches:
                following = states.setdefault(channel, len(states) + SPECIAL)
                steps[place, following] += 1
                place = following
            steps[place, NOTHING if value is None else CONVERSION] += 1
            if touches:
                attributed += value or 0.0
            else:
                unattributed += value or 0.0
        effects = _removal_effects(steps, len(states))
        total = sum(effects)
        unit = attributed / total if total else 0.0
        shares = {channel: unit * effects[state - SPECIAL] for channel, state in states.items()}
        return {**shares, UNATTRIBUTED: unattributed} if unattributed else shares

    return credit


def _removal_effects(steps: Mapping[tuple[int, int], int], channels: int) -> list[float]:
    """For each channel, the share of the chain's conversions by way of channels that are lost without it."""
    import numpy as np

    size = channels + SPECIAL
    moves = np.zeros((size, size))
    for (source, target), count in steps.items():
        moves[source, target] = count
    moves[START, [CONVERSION, NOTHING]] = 0  # journeys without a touch have no channel to lose
    sums = moves.sum(axis=1, keepdims=True)
    moves = np.divide(moves, sums, out=np.zeros_like(moves), where=sums > 0)
    inner = [START, *range(SPECIAL, size)]
    between, to_conversion = moves[np.ix_(inner, inner)], moves[inner, CONVERSION]

    def converting(without: int | None) -> float:
        reduced = between.copy()
        if without is not None:
            reduced[:, without] = 0
        return float(np.linalg.solve(np.eye(len(inner)) - reduced, to_conversion)[0])

    whole = converting(None)
    return [1 - converting(place + 1) / whole if whole else 0.0 for place in range(channels)]


MODELS: Mapping[str, Callable[..., Model]] = {
    "first": _first,
    "last": _last,
    "linear": _linear,
    "time_decay": _time_decay,
    "position": _position,
    "markov": _markov,
    "shapley": _shapley,
}
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "time_decay": {"half_life": timedelta(days=7)},
    "position": {"first": 0.4, "last": 0.4},
}
