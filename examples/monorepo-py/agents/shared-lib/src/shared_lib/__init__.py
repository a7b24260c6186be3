"""Words that several agents share. They are read from a file beside this one."""

from pathlib import Path

PHRASES = dict(line.split(": ", 1) for line in (Path(__file__).parent / "phrases.txt").read_text().splitlines())


def phrase(name: str, whom: str) -> str:
    return PHRASES[name].format(whom)


def shouted(text: str) -> str:
    return text.upper() + "!"
