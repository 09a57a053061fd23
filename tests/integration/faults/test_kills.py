"""Whatever is killed, and whenever: the reports are the same as without, and the stack mends itself."""

import random
import sys

import pytest
from tests.integration.faults.canonical import differences
from tests.integration.faults.kills import Kill, carry_out, plan, targets_of
from tests.integration.faults.outages import Rig

KILLS = 8
GAP_S = (1.0, 4.0)


@pytest.mark.timeout(600)
def test_kills_at_random_moments_change_no_report_and_leave_nothing_behind(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = rig.trial
    seed = random.SystemRandom().randrange(1 << 32)
    kills = plan(seed, targets_of(list(trial.stack.pids())), KILLS, GAP_S)
    done: list[Kill] = []
    outcome = trial.import_while(lambda: carry_out(trial.stack, kills, done.append), at_once=2)
    with capsys.disabled():
        killed = ", ".join(kill.target for kill in done)
        sys.stdout.write(f"\nkills with seed {seed}: {killed}; {outcome.reports} reports\n")
    assert outcome.differences == [], f"repeat with seed {seed}"
    assert done == kills
    assert outcome.reports >= 2


def test_a_seed_repeats_its_plan_and_spares_nobody() -> None:
    targets = targets_of(["nats", "asr", "asr-2", "quality"])
    assert targets == ["nats", "asr", "asr-2", "quality", "child of asr", "child of asr-2"]
    kills = plan(7, targets, 18, (1, 2))
    assert kills == plan(7, targets, 18, (1, 2)) != plan(8, targets, 18, (1, 2))
    assert {target: sum(kill.target == target for kill in kills) for target in targets} == dict.fromkeys(targets, 3)
    assert all(1 <= kill.after_s <= 2 for kill in kills)


def test_a_difference_in_a_report_is_seen(rig: Rig) -> None:
    expected = rig.trial.expected["pair"]
    assert '"verdict"' in expected
    assert '"sha256"' in expected
    assert differences(expected, expected) == []
    assert differences(expected, expected.replace("OUTCOME_FAIL", "OUTCOME_PASS")) != []
