from nybble.report.measures import TITLES, UNITS, measure


def test_a_metric_has_words_and_a_unit():
    mae = measure("mae")
    assert (mae.title, mae.unit, mae.share) == (
        "Mean absolute error", "in the truth's own unit", False,
    )  # fmt: skip
    assert measure("pass@10").share
    assert measure("accuracy").share


def test_ones_own_metric_keeps_its_name():
    assert measure("my_own").title == "my own"


def test_no_metric_is_left_with_the_name_of_its_key():
    assert not [name for name in {*TITLES, *UNITS} if measure(name).title == name]
