"""Servers: any policy, behind the protocol ``remote`` or behind openpi's.

``vlabench serve POLICY`` runs them; this is how a model that cannot leave its house is evaluated.
Its owner wraps it in a module of their own, ``mine.py``::

    import numpy as np
    import closed_model

    MODEL = closed_model.load("the-checkpoint")

    def act(observation):                        # one Observation to one action, or to several
        image = observation.images["exterior/0"]             # (256, 256, 3) uint8, upright RGB
        return np.asarray(MODEL.predict(image, observation.instruction))

and runs there ``vlabench serve mine:act --policy-arg cameras=exterior/0``, and wherever the
simulator is ``vlabench eval --policy remote --policy-arg url=ws://HOST:8000 --suite core``. A
model that answers batches, or has conventions of its own, is a class with the five methods of
`vlabench.contract.policy.Policy` instead, whose `spec` declares them.
"""

from vlabench.serving.server import Server

__all__ = ["Server"]
