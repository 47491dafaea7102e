"""The words of the system as frozen dataclasses and enums, shared by all.

Imports nothing of the package but its errors, knows no store, no wire and no clock.
The rules that change these values live in `rollout`, `statistics` and `controller`.
"""
