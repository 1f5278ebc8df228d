"""The statistics of experiments, against published tables and against SciPy's exact answers."""

import random

import pytest

from campaigns import stats


def test_two_proportions_agrees_with_a_worked_example() -> None:
    """Fleiss, Levin and Paik's formula by hand: 60 of 100 against 45 of 100, pooled share 0.525."""
    z, p = stats.two_proportions(60, 100, 45, 100)
    assert z == pytest.approx(0.15 / (0.525 * 0.475 * 2 / 100) ** 0.5)
    assert p == pytest.approx(0.0337, abs=5e-5)
    back, same = stats.two_proportions(45, 100, 60, 100)
    assert (back, same) == (-z, p)


@pytest.mark.parametrize("successes", [(0, 0), (50, 80)])
def test_equal_shares_at_the_edge_differ_by_nothing(successes: tuple[int, int]) -> None:
    assert stats.two_proportions(successes[0], 50, successes[1], 80) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((1, 0, 1, 1), "n_a"), ((1, 1, 1, -1), "n_b"), ((2, 1, 0, 1), "success_a"), ((0, 1, -1, 1), "success_b")],
)
def test_wrong_counts_are_named(arguments: tuple[int, int, int, int], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}:"):
        stats.two_proportions(*arguments)


def test_sample_size_gives_the_power_it_promises() -> None:
    """By simulation: at the size given, about 80 % of experiments find the lift, and 5 % one that is not there."""
    base, lift = 0.2, 0.05
    n = stats.sample_size(base, lift)
    assert n == 1031  # 1030.3, rounded up
    chance = random.Random(7)
    found = [_significant(chance, n, base, base + lift) for _ in range(400)]
    assert 0.74 < sum(found) / len(found) < 0.86
    false = [_significant(chance, n, base, base) for _ in range(400)]
    assert sum(false) / len(false) < 0.09


def _significant(chance: random.Random, n: int, share_a: float, share_b: float) -> bool:
    a = chance.binomialvariate(n, share_a) if hasattr(chance, "binomialvariate") else _binomial(chance, n, share_a)
    b = chance.binomialvariate(n, share_b) if hasattr(chance, "binomialvariate") else _binomial(chance, n, share_b)
    return stats.two_proportions(a, n, b, n)[1] < 0.05


def _binomial(chance: random.Random, n: int, share: float) -> int:
    return sum(chance.random() < share for _ in range(n))


def test_sample_size_of_a_fall_and_of_more_power() -> None:
    assert stats.sample_size(0.2, -0.05) < stats.sample_size(0.2, 0.05)  # less variance below
    assert stats.sample_size(0.2, 0.05, power=0.9) > stats.sample_size(0.2, 0.05)
    assert stats.sample_size(0.2, 0.05, alpha=0.01) > stats.sample_size(0.2, 0.05)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((0.0, 0.1), "base"), ((0.2, 0.0), "lift"), ((0.2, 0.9), "lift"), ((0.2, 0.1, 1.0), "power"),
     ((0.2, 0.1, 0.8, 0.0), "alpha")],
)  # fmt: skip
def test_wrong_shares_are_named(arguments: tuple[float, ...], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}:"):
        stats.sample_size(*arguments)


def test_srm_of_a_published_case() -> None:
    """821,588 against 815,482 where halves were planned: p = 1.8e-6 (Kohavi, Tang and Xu, Trustworthy Online
    Controlled Experiments, chapter 21)."""
    assert stats.srm([821_588, 815_482], [1, 1]) == pytest.approx(1.8e-6, rel=0.02)
    assert stats.srm([500, 250, 250], [0.5, 0.25, 0.25]) == 1.0
    assert stats.srm([500, 250, 250], [2, 1, 1]) == 1.0


@pytest.mark.parametrize(
    ("observed", "expected", "named"),
    [([1], [1], "observed"), ([1, 2], [1], "observed"), ([0, 0], [1, 1], "observed"), ([1, -1], [1, 1], "observed"),
     ([1, 2], [1, 0], "expected")],
)  # fmt: skip
def test_wrong_ratios_are_named(observed: list[int], expected: list[float], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}:"):
        stats.srm(observed, expected)


# Constants by looks and alpha: Jennison and Turnbull, Group Sequential Methods, tables 2.1 and 2.3.
POCOCK = {(1, 0.05): 1.960, (2, 0.05): 2.178, (3, 0.05): 2.289, (5, 0.05): 2.413, (10, 0.05): 2.555, (5, 0.01): 2.986}
OBRIEN_FLEMING = {(1, 0.05): 1.960, (2, 0.05): 1.977, (3, 0.05): 2.004, (5, 0.05): 2.040, (10, 0.05): 2.087}


@pytest.mark.parametrize(("looks", "alpha"), POCOCK)
def test_pocock_bounds_are_those_of_the_table(looks: int, alpha: float) -> None:
    assert stats.group_sequential(looks, alpha) == pytest.approx([POCOCK[looks, alpha]] * looks, abs=6e-4)


@pytest.mark.parametrize(("looks", "alpha"), OBRIEN_FLEMING)
def test_obrien_fleming_bounds_are_those_of_the_table(looks: int, alpha: float) -> None:
    constant = OBRIEN_FLEMING[looks, alpha]
    wanted = [constant * (looks / look) ** 0.5 for look in range(1, looks + 1)]
    assert stats.group_sequential(looks, alpha, "obrien-fleming") == pytest.approx(wanted, rel=4e-4)


@pytest.mark.parametrize("shape", ["pocock", "obrien-fleming"])
def test_looking_early_errs_as_seldom_as_promised(shape: stats.Shape) -> None:
    """By simulation without any effect: some bound is passed in 5 % of the experiments."""
    bounds = stats.group_sequential(4, 0.05, shape)
    chance = random.Random(11)
    passed = 0
    for _ in range(20_000):
        total = 0.0
        for look, bound in enumerate(bounds, start=1):
            total += chance.gauss()
            if abs(total) / look**0.5 >= bound:
                passed += 1
                break
    assert 0.045 < passed / 20_000 < 0.055


@pytest.mark.parametrize(
    ("arguments", "named"), [((0,), "looks"), ((101,), "looks"), ((2, 1.0), "alpha"), ((2, 0.05, "flat"), "shape")]
)
def test_wrong_plans_are_named(arguments: tuple[object, ...], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}:"):
        stats.group_sequential(*arguments)  # type: ignore[arg-type]
