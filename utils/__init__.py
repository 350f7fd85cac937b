"""Helpers shared by the fourteen notebooks. Data flows one way: text → ids → model → loss or tokens → picture."""

import os

# PyTorch's threads wait for one another in a busy loop, and on a machine that has anything else to do the small models
# of this course then train several times slower. Waiting asleep costs next to nothing; it must be said before PyTorch
# is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
