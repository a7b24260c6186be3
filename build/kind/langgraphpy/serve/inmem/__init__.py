"""LangGraph's runtime in memory, kept safe on disk."""
