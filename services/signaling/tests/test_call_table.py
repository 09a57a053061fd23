"""The tables of calls say something about everything."""

from shuanglu_signaling.domain.call_table import CAN_PUBLISH, PRESENCES, Presence, Step


def test_every_presence_has_a_row_and_every_step_is_possible_somewhere() -> None:
    assert set(PRESENCES) == set(Presence)
    assert {step for row in PRESENCES.values() for step in row} == set(Step)


def test_everybody_may_come_in_from_everywhere() -> None:
    assert all(Step.JOIN in row for row in PRESENCES.values())


def test_nobody_goes_back_to_expected() -> None:
    assert Presence.EXPECTED not in {to for row in PRESENCES.values() for to in row.values()}


def test_only_who_is_there_may_publish() -> None:
    assert {Presence.JOINED, Presence.LIVE, Presence.AWAY} == CAN_PUBLISH


def test_only_who_is_away_is_given_up() -> None:
    assert [presence for presence, row in PRESENCES.items() if Step.LAPSE in row] == [Presence.AWAY]
