"""The actor runtime: keeps tasks running, and contains their failures. It is independent of Roost's
domain."""
