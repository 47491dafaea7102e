"""Keeps prompts, rollouts, evidence and decisions on SQLite or PostgreSQL.

The interface and its records are in `store.interface`; nothing outside this
package names SQL. Sidecars never import it.
"""
