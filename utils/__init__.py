"""Helpers shared by the fourteen notebooks. Data flows one way: text → ids → model → loss or tokens → picture."""

import os

# On Linux, PyTorch's threads wait for one another in a long busy loop, and beside other busy programs the small models
# of this course then train at half the speed or less. A short loop costs a few per cent on an idle machine
# (benchmarks/RESULTS.md). It must be said before PyTorch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
