"""Progressive delivery for LLM prompts."""
