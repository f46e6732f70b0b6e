"""What the library says to a question of a test (tests/store/answers.h), from the binary of the store's unit tests."""
import subprocess

from harness import Failure, program


class Library:
    """Answers one question after the other; ended with the test. around: a program that is to start it, with its arguments."""

    def __init__(self, ctx, around=()):
        self.process = subprocess.Popen([*around, program("tests/store/unit"), "--answer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ctx.callback(self.close)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)

    def ask(self, *words):
        """Words are texts, paths or octets."""
        octets = b"\t".join(word if isinstance(word, bytes) else str(word).encode() for word in words)
        self.process.stdin.write(octets + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline().decode(errors="replace")
        if not line:
            raise Failure(f"no answer to {words!r}: status {self.process.wait(10)}")
        return line.rstrip("\n")
