"""How long PyTorch's threads should wait in a busy loop: ``python -m benchmarks.waiting`` prints a table.

Trains a small GRU for a fixed number of steps in a fresh process for each setting, in turn, on an otherwise idle
machine and then beside processes that do nothing but count; prints median seconds and the ratio to PyTorch's default.
"""

import multiprocessing
import os
import statistics
import subprocess
import sys
import time

SETTINGS = {
    "default": {},
    "GOMP_SPINCOUNT=1000 (the course's)": {"GOMP_SPINCOUNT": "1000"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
}
ROUNDS, BUSY = 5, (0, 1, 3)
WORK = """
import time, torch
from torch import nn
torch.manual_seed(0)
gru, out, inputs = nn.GRU(128, 128, batch_first=True), nn.Linear(128, 2000), torch.randn(32, 25, 128)
optimizer = torch.optim.AdamW([*gru.parameters(), *out.parameters()])
start = time.perf_counter()
for _ in range(60):
    loss = out(gru(inputs)[0]).logsumexp(-1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(time.perf_counter() - start)
"""


def seconds(setting: dict[str, str]) -> float:
    """Train once in a fresh process with ``setting`` in its environment and return the seconds it took."""
    clean = {name: value for name, value in os.environ.items() if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}
    done = subprocess.run([sys.executable, "-c", WORK], env=clean | setting, capture_output=True, text=True, check=True)
    return float(done.stdout)


def count_forever() -> None:
    """Keep one core busy until the process is ended."""
    while True:
        time.perf_counter()


def main() -> None:
    """Print the table, one row for each number of busy processes and each setting."""
    print(f"{os.cpu_count()} cores; median of {ROUNDS} runs in turn\n")
    print("| busy processes beside it | setting | seconds | default ÷ this |\n|---|---|---|---|")
    for busy in BUSY:
        others = [multiprocessing.Process(target=count_forever, daemon=True) for _ in range(busy)]
        for other in others:
            other.start()
        taken: dict[str, list[float]] = {name: [] for name in SETTINGS}
        for _ in range(ROUNDS):
            for name, setting in SETTINGS.items():
                taken[name].append(seconds(setting))
        for other in others:
            other.terminate()
        medians = {name: statistics.median(values) for name, values in taken.items()}
        for name, median in medians.items():
            print(f"| {busy} | {name} | {median:.1f} | {medians['default'] / median:.1f} × |", flush=True)


if __name__ == "__main__":
    main()
