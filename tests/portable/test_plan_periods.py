from drivers.profile.plan_periods import Chain, Ticks, arrange, loads


def additive(request_us=1000, field_us=100):
    """Each period has one field; together they are one request."""
    return lambda due: request_us + field_us * len(due)


def apart(due):
    """Nothing is saved by reading together."""
    return 1000 * len(due)


def test_periods_that_divide_each_other_are_one_chain():
    found = arrange([60_000, 10_000, 300_000], additive())
    assert found == [Chain((10_000, 60_000, 300_000), (10_000, 60_000, 300_000))]
    assert arrange([5000], additive()) == [Chain((5000,), (5000,))]
    assert arrange([], additive()) == []


def test_periods_a_field_is_read_early_where_that_is_cheaper_than_asking_twice():
    assert arrange([2000, 3000], additive()) == [Chain((2000, 3000), (2000, 2000))]
    assert arrange([2000, 3000], apart) == [Chain((2000,), (2000,)), Chain((3000,), (3000,))]
    assert arrange([2000, 7000], additive()) == [Chain((2000, 7000), (2000, 6000))]


def test_periods_of_two_chains_each_join_where_they_save_most():
    def read_us(due):  # 2000 and 5000 share nothing; 10000 is next to 5000
        shared = 5000 in due and 10_000 in due
        return 1000 * len(due) - (900 if shared else 0)

    found = arrange([2000, 5000, 10_000], read_us)
    assert found == [Chain((2000,), (2000,)), Chain((5000, 10_000), (5000, 10_000))]


def test_periods_stay_apart_where_reading_all_would_take_half_the_shortest():
    def slow(due):
        return 300_000 * len(due)

    assert len(arrange([1000, 2000], slow)) == 2
    assert len(arrange([2000, 4000], slow)) == 1


def test_periods_however_many_are_arranged_within_bounded_steps():
    asked = []

    def read_us(due):
        asked.append(due[-1])
        return 1000 + len(due)

    periods = [1000 + 37 * place for place in range(512)]
    found = arrange(periods, read_us)
    assert sorted([one for chain in found for one in chain.periods]) == periods
    assert len(asked) <= 1000


def test_loads_add_up_to_what_each_tick_takes():
    chains = [Chain((1000, 4000), (1000, 4000)), Chain((3000,), (3000,))]
    assert loads(chains, additive()) == [
        (1000, 1000, 1100),
        (4000, 4000, 100),
        (3000, 3000, 1100),
    ]


def test_ticks_a_longer_period_is_due_at_every_so_many_polls():
    ticks = Ticks(Chain((1000, 3000, 6000), (1000, 3000, 6000)))
    found = [len(ticks.due(7 + 1000 * place)) for place in range(13)]
    assert found == [3, 1, 1, 2, 1, 1, 3, 1, 1, 2, 1, 1, 3]


def test_ticks_forgive_polls_that_come_early_or_late_by_less_than_half():
    ticks = Ticks(Chain((1000, 3000), (1000, 3000)))
    late_ms = (0, 400, 10, 490, 0, 300, 0, 0, 480, 20)
    found = [len(ticks.due(1000 * place + late_ms[place])) for place in range(10)]
    assert found == [2, 1, 1, 2, 1, 1, 2, 1, 1, 2]


def test_ticks_that_were_missed_are_made_up_for_once_and_shift_nothing():
    ticks = Ticks(Chain((1000, 3000), (1000, 3000)))
    polls = (0, 4000, 5000, 6000, 7000, 14_900, 15_000, 16_000, 17_000, 18_000)
    assert [len(ticks.due(at)) for at in polls] == [2, 2, 1, 2, 1, 2, 2, 1, 1, 2]


def test_ticks_of_polls_between_those_of_the_start_do_not_waver():
    for phase_ms in range(100, 1001, 100):  # the first poll is at once, the others have a phase
        ticks = Ticks(Chain((1000, 4000), (1000, 4000)))
        ticks.due(0)
        polls = [phase_ms + 1000 * place + (place * 7919) % 97 for place in range(40)]
        slow = [place for place in range(40) if len(ticks.due(polls[place])) == 2]
        steps = [slow[place + 1] - slow[place] for place in range(len(slow) - 1)]
        assert steps.count(4) >= len(steps) - 1
        assert max(steps) == 4


def test_ticks_of_all_shorter_periods_stay_with_a_longer_one():
    ticks = Ticks(Chain((1000, 2000, 6000), (1000, 2000, 6000)))
    # Polls come early by less than half: the second reads early, and then so does the third.
    polls = (0, 1000, 1600, 2600, 3600, 4600, 5600, 6600, 7600)
    assert [len(ticks.due(at)) for at in polls] == [3, 1, 2, 1, 2, 1, 3, 1, 2]
