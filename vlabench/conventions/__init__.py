"""Is a policy wired right? Tries the likely faults of its declaration on the expert's way."""

from vlabench.conventions.examining import Diagnosis, examine

__all__ = ["Diagnosis", "examine"]
