"""A process of a benchmark that answers each line with a number, and waits on its pipe in between."""
import os
import subprocess
import sys


class Child:
    """`command` runs in the folder of the benchmarks, with `settings` in its environment."""

    def __init__(self, command, **settings):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, **settings), cwd=os.path.dirname(os.path.abspath(__file__)))

    def ask(self, line=""):
        print(line, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit(f"{os.path.basename(sys.argv[0])}: a benchmark process ended with status {self.process.wait()}")
        return float(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()
