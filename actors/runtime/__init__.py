"""The actor runtime: how tasks are kept running, and how their failures stay their own. It knows
nothing of Roost."""
