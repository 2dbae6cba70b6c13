"""Is a policy wired right? Tries the likely faults of its declaration on the expert's way.

The expert runs a few nominal episodes (`path`); the policy is shown what there was to see on the
way, and says what it would have done (`asking`). Each suspected fault is another way to understand
it (`reading`): of what its answers mean (`acted`), for which no question is asked twice, or of what
it is shown (`seen`). How far it then agrees with the expert (`agreement`), and whether that is more
than chance (`judging`), decides which fault is named (`trying`, `diagnosis`, `telling`).
"""

from vlabench.conventions.diagnosis import Diagnosis
from vlabench.conventions.examining import examine

__all__ = ["Diagnosis", "examine"]
