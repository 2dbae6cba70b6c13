"""Films of episodes, made after a run by replaying what was executed.

Nothing is rendered for a film while a policy is evaluated: physics is deterministic, so any episode
can be filmed afterwards, at any size and from any camera, and the same replay shows whether the
record is true. `film` makes them; a film lies in the run's folder, see `Filed`.
"""

from __future__ import annotations

from vlabench.film.archive import Filed, chosen, film, film_one
from vlabench.film.shooting import Footage, Shot
from vlabench.film.style import Style

__all__ = ["Filed", "Footage", "Shot", "Style", "chosen", "film", "film_one"]
