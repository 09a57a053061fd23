"""`shuanglu doctor`: what each service and the bus tell of themselves, and what only a join of them shows.

From Python: `examine(target, Wanted(at_rest=True)).ailments` (tests call it after every fault).
"""

from shuanglu_cli.doctor.examine import Diagnosis, Wanted, examine

__all__ = ["Diagnosis", "Wanted", "examine"]
